"""Names of topics and schema files that nobody can rely on: refused by every command that would use them."""

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from farandole.events.subset import canonical
from tests.cli.project import Project

SERVICE = """
from farandole import Event, Service

class Came(Event, type="thing.came", key="id"):
    id: str
    text: str = ""

class Went(Event, type={name!r}, key="id", final=True):
    id: str
    FIELD

service = Service("naming", accepts=[Came])

@service.step
def let_go(came: Came) -> Went: ...
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "farandole.toml").write_text('log = "sqlite:///var/log.db"\n')
    before = set(sys.modules)
    yield Project(tmp_path)
    for name in set(sys.modules) - before:
        if name.startswith("naming_"):
            del sys.modules[name]


def _declare(project: Project, module: str, *, name: str = "thing.went", field: str = "") -> str:
    path = project.folder / f"naming_{module}.py"
    path.write_text(SERVICE.format(name=name).replace("FIELD", field))
    return f"naming_{module}:service"


def _refused(project: Project, target: str) -> str:
    """What `schemas check`, `schemas export` (exit 2) and `run` (exit 78) say: one line, the same; nothing is made."""
    before = {path: path.read_bytes() for path in project.folder.rglob("*.json")}
    texts = set()
    for args, code in ((("schemas", "check"), 2), (("schemas", "export"), 2), (("run",), 78)):
        done = project.main(*args, target)
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.count("\n") == 1
        assert "Traceback" not in done.stderr
        assert len(done.stderr) < 1000
        texts.add(done.stderr)
    assert {path: path.read_bytes() for path in project.folder.rglob("*.json")} == before
    assert not (project.folder / "var").exists()
    (text,) = texts
    return text


NAMES = {
    "a_b": ("thing_went", "lower-case words"),
    "dots": ("..", "lower-case words"),
    "a path": ("../thing", "lower-case words"),
    "250 characters": ("a" * 250, "250 characters; at most 180"),
    "our own": ("farandole.journal", "the library's"),
    "an inbox": ("thing.inbox", "the library's"),
    "empty words": ("thing..went", "lower-case words"),
}


@pytest.mark.parametrize("case", NAMES)
def test_41_a_type_that_cannot_be_a_topic_is_refused_by_class_and_name(project: Project, case: str) -> None:
    """`a.b` stands and `a_b` is refused, so that no two have the same metric; no path, nothing too long."""
    name, why = NAMES[case]
    text = _refused(project, _declare(project, re.sub(r"\W", "_", case), name=name))
    assert re.search(r"naming_\w+\.Went: type=", text)
    assert repr(name[:80]) in text
    assert why in text


def test_41_names_of_services_and_steps_cannot_collide_either(project: Project) -> None:
    """They stand in the names of topics, too."""
    for number, name in enumerate(("a_b", "a.b", "..", "x" * 250)):
        (project.folder / f"naming_service{number}.py").write_text(
            f"from farandole import Service\nservice = Service({name!r})\n"
        )
        text = _refused(project, f"naming_service{number}:service")
        assert name[:50] in text


# -- schema files -----------------------------------------------------------------------------------------------


def _put(schema: Any) -> Callable[[dict[str, Any]], object]:
    return lambda document: document["properties"].update(text=schema)


def _put_loop(document: dict[str, Any]) -> None:
    document["$defs"] = {"Loop": {"type": "array", "items": {"$ref": "#/$defs/Loop"}}}
    document["properties"]["text"] = {"$ref": "#/$defs/Loop"}


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "46 remote": (_put({"$ref": "https://127.0.0.1:1/text.json"}), "not fetched"),
    "46 file": (_put({"$ref": "file:///etc/passwd"}), "not fetched"),
    "47 itself": (_put({"$ref": "#"}), "contains itself"),
    "47 loop": (_put_loop, "contains itself"),
    "48 pattern": (_put({"type": "string", "pattern": "^(a+)+$"}), "exponential"),
    "48 alternatives": (_put({"type": "string", "pattern": "^(a|a)*$"}), "exponential"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_46_to_48_a_schema_file_that_cannot_be_relied_on_is_refused_by_file_and_field(
    project: Project, case: str
) -> None:
    """Although its digest was forged to fit; nothing is fetched, and no pattern is run."""
    target, path = _exported(project, re.sub(r"\W", "_", case))
    document = json.loads(path.read_text())
    change, why = CHANGES[case]
    change(document)
    document["x-farandole"].pop("digest")
    document["x-farandole"]["digest"] = hashlib.sha256(canonical(document).encode()).hexdigest()
    path.write_text(canonical(document))
    _schema_refused(project, target, str(path), "text", why)


def test_49_what_breaks_with_any_stored_revision_is_refused(project: Project) -> None:
    """Also where the latest revision alone would let it pass: what went may not come back as something else."""
    for number, field in enumerate(("colour: str = 'red'", "", "size: int = 0")):
        target = _declare(project, f"revision{number}", field=field)
        assert project.main("schemas", "export", target).returncode == 0
    folder = project.folder / "schemas/thing.went"
    assert sorted(path.name for path in folder.iterdir()) == ["v1.0.json", "v1.1.json", "v1.2.json"]
    broken = _declare(project, "broken", field="colour: int = 0; size: int = 0")
    _schema_refused(project, broken, str(folder / "v1.0.json"), "thing.went v1", "colour", "version=2")


def test_50_the_same_version_with_other_content_is_refused(project: Project) -> None:
    """The digest tells."""
    target, path = _exported(project, "content")
    path.write_text(path.read_text().replace('"final": false', '"final": true'))
    _schema_refused(project, target, str(path), "changed after its export")


def _exported(project: Project, module: str) -> tuple[str, Path]:
    target = _declare(project, module)
    assert project.main("schemas", "export", target).returncode == 0
    return target, project.folder / "schemas/thing.came/v1.0.json"


def _schema_refused(project: Project, target: str, *parts: str) -> None:
    """Exit 2 of both commands, one line; the folder stays as it is."""
    before = {path: path.read_bytes() for path in project.folder.rglob("*.json")}
    for command in ("check", "export"):
        done = project.main("schemas", command, target)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
        assert all(part in done.stderr for part in parts), done.stderr
    assert {path: path.read_bytes() for path in project.folder.rglob("*.json")} == before
