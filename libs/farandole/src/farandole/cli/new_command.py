"""`farandole new`: a project of the user's own, which runs as it is and whose test passes."""

import importlib.metadata
import importlib.util
import keyword
import re
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from farandole.cli.options import JsonOption
from farandole.cli.say import emit, line
from farandole.events.errors import BadInput

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_NAME_LIMIT = 40
_FILES = {
    "README.md": "README.md",
    "farandole.toml": "farandole.toml",
    "pyproject.toml": "pyproject.toml",
    ".gitignore": "gitignore",
    "src/{package}/events.py": "events.py",
    "src/{package}/steps.py": "steps.py",
    "tests/test_steps.py": "test_steps.py",
}


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("new")(new)


def new(
    name: Annotated[str, typer.Argument(help="The project's name, such as word-count; also its folder's.")],
    as_json: JsonOption = False,
) -> None:
    """Make a project in a new folder: events, steps, a test, and settings with which `farandole up` runs it."""
    package = _package(name)
    folder = Path(name)
    if folder.exists():
        raise BadInput(f"{folder} exists already; give another name, or run this elsewhere")
    words = {"name": name, "package": package, "version": importlib.metadata.version("farandole")}
    written = [(folder / place.format(package=package), _text(source, words)) for place, source in _FILES.items()]
    written.append((folder / "src" / package / "__init__.py", f'"""{name}: counts words."""\n'))
    try:
        for path, text in written:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{folder} cannot be made: {error.strerror}") from error
    if as_json:
        emit({"project": name, "folder": str(folder), "files": sorted(str(path) for path, _ in written)})
        return
    line(f"made {folder}; now:")
    for command in (f"cd {folder}", "python -m pytest", "farandole up"):
        line(f"  {command}")


def _package(name: str) -> str:
    """The project's module. Raises BadInput where it would hide another one."""
    if not _NAME.fullmatch(name) or len(name) > _NAME_LIMIT:
        form = f"lower-case words of letters and digits joined by '-', at most {_NAME_LIMIT} characters"
        raise BadInput(f"name {name[:80]!r}: {form}")
    package = name.replace("-", "_")
    if keyword.iskeyword(package) or importlib.util.find_spec(package) is not None:
        raise BadInput(f"name {name!r}: Python has a module {package!r} already; give another name")
    return package


def _text(source: str, words: dict[str, str]) -> str:
    return Template((files("farandole.cli") / "template" / f"{source}.txt").read_text(encoding="utf-8")).substitute(
        words
    )
