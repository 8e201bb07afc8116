"""Fills the folders that an image's layers are copied from. Runs in the stage that builds, on its tools' Python.

    layers.py library                 what the library needs of others: the same in every image
    layers.py shared REQUIREMENT…     what several services need
    layers.py service NAME…           what else these need of others
    layers.py own NAME…               our own packages, the program that a container starts with, and what is in it

A name is a folder of services/, or `observe`, or `all` of these. Each call installs into one environment and puts what
is new in it under LAYERS/<first argument>, with equal times and compiled by content, so that equal layers are the same
layer in every image.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

SOURCE = Path("/build")
HOME = Path("/opt/farandole")
LAYERS = Path("/layers")
PINS = SOURCE / "constraints.txt"
OBSERVE = "observe"
_LIBRARY, _OBSERVING = SOURCE / "libs/farandole", SOURCE / "libs/farandole-observe"
_EXTRAS: Mapping[str, tuple[str, ...]] = {
    "farandole": ("objects", "otel"),
    "farandole-observe": ("archive", "dashboards"),
}
_OURS = "farandole"  # what our packages' names begin with
_TIME = 946_684_800  # of every file: 1 January 2000
_NEEDLESS = ("tests",)  # folders of packages that only their authors need
_Seen = dict[str, tuple[int, int]]


def main(arguments: Sequence[str]) -> None:
    """Fill one layer."""
    kind, *given = arguments
    before = _seen()
    if kind == "library":
        _install(third_party([_LIBRARY]))
    elif kind == "shared":
        _install(given)
    elif kind == "service":
        _install(third_party(projects(given)))
    else:
        _own(given)
    _strip(before)
    _compile(before)
    _copy(before, LAYERS / kind)


def projects(names: Iterable[str]) -> list[Path]:
    """The folders of the packages that these names stand for, with those of ours that they need."""
    wanted = [name for given in names for name in (_all() if given == "all" else [given])]
    if not wanted:
        raise SystemExit("SERVICE is not set; give --build-arg SERVICE=NAME, a folder of services/, observe, or all")
    found = []
    for name in dict.fromkeys(wanted):
        place = _OBSERVING if name == OBSERVE else SOURCE / "services" / name
        if not (place / "pyproject.toml").is_file():
            raise SystemExit(f"SERVICE={name}: there is no such service; there are: {', '.join(_all())}")
        found.append(place)
    return [*([_LIBRARY] if any(map(_needs_library, found)) else []), *found]


def _all() -> list[str]:
    """Without those that pin versions of their own: these live in an environment of their own."""
    places = sorted(path.parent for path in (SOURCE / "services").glob("*/pyproject.toml"))
    return [*(place.name for place in places if not (place / "constraints.txt").exists()), OBSERVE]


def third_party(places: Iterable[Path]) -> list[str]:
    """What these packages and their extras need of others."""
    found = [requirement for place in places for requirement in _requirements(place)]
    return [requirement for requirement in dict.fromkeys(found) if not _is_ours(requirement)]


def _needs_library(place: Path) -> bool:
    return any(map(_is_ours, _requirements(place)))


def _requirements(place: Path) -> list[str]:
    project = _project(place)
    extras = project.get("optional-dependencies", {})
    more = [requirement for extra in _EXTRAS.get(project["name"], ()) for requirement in extras.get(extra, [])]
    return [*project.get("dependencies", []), *more]


def _project(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((place / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def _is_ours(requirement: str) -> bool:
    name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
    return name == _OURS or name.startswith(f"{_OURS}-")


def _own(names: Sequence[str]) -> None:
    """Our packages as wheels, made without a look at any index; that nothing is missing is checked."""
    places, wheels = projects(names), SOURCE / "wheels"
    _pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(wheels), *map(str, places))
    _pip("install", "--no-deps", "--no-index", "--no-compile", *map(str, sorted(wheels.glob("*.whl"))), into=HOME)
    _pip("check", into=HOME)
    if _LIBRARY in places:
        _write_programs(places)
    _run(sys.executable, str(SOURCE / "deploy/image/sbom.py"), str(LAYERS / "own/usr/share/sbom"))


def _write_programs(places: Iterable[Path]) -> None:
    """`entry`, by which a container starts, and `livez`, by which its health is asked for."""
    entry, livez = HOME / "bin/entry", HOME / "bin/livez"
    entry.write_text(entry_of(places), encoding="utf-8")
    shutil.copyfile(SOURCE / "deploy/image/livez.py", livez)
    for program in (entry, livez):
        program.chmod(0o755)


def entry_of(places: Iterable[Path]) -> str:
    """What a container runs: the given command of `farandole`, else the service; as process 1, so it gets signals."""
    targets = [f"{steps.parent.name}.steps:service" for place in places for steps in place.glob("src/*/steps.py")]
    default = " ".join(["run", *targets]) if targets else "observe"
    return f'#!/bin/sh\n[ "$#" -gt 0 ] || set -- {default}\nexec {HOME}/bin/farandole "$@"\n'


def _install(requirements: Sequence[str]) -> None:
    if requirements:
        _pip("install", "--no-cache-dir", "--no-compile", "--constraint", str(PINS), *requirements, into=HOME)


def _pip(*arguments: str, into: Path | None = None) -> None:
    target = [] if into is None else ["--python", str(into / "bin/python")]
    _run(sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *target, *arguments)


def _run(*command: str) -> None:
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)


def _files() -> Iterator[Path]:
    for folder, folders, files in os.walk(HOME):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        yield from (Path(folder) / name for name in (*files, *links))


def _seen() -> _Seen:
    """Of every file in the environment, what tells whether it was written since. Empty before the first layer."""
    if not LAYERS.exists():
        return {}
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in _files()}


def _new(before: _Seen) -> list[Path]:
    return [path for path in _files() if before.get(str(path)) != (path.lstat().st_mtime_ns, path.lstat().st_size)]


def _strip(before: _Seen) -> None:
    for path in _new(before):
        inside = path.relative_to(HOME).parts[:-1]
        if "site-packages" in inside and any(name in inside for name in _NEEDLESS):
            path.unlink()


def _compile(before: _Seen) -> None:
    """By content, so that a time says nothing; what does not compile could not be imported either."""
    sources = "\n".join(str(path) for path in _new(before) if path.suffix == ".py")
    compiling = [
        str(HOME / "bin/python"),
        "-m",
        "compileall",
        "-qq",
        "-j",
        "0",
        "--invalidation-mode",
        "unchecked-hash",
    ]
    subprocess.run([*compiling, "-i", "-"], input=sources, text=True, check=False)


def _copy(before: _Seen, layer: Path) -> None:
    """Hard links where that can be: nothing is written to them any more."""
    layer.mkdir(parents=True, exist_ok=True)
    for path in _new(before):
        place = layer / path.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        os.utime(path, (_TIME, _TIME), follow_symlinks=False)
        os.link(path, place, follow_symlinks=False)
    for folder, _, _ in os.walk(layer):
        os.utime(folder, (_TIME, _TIME))


if __name__ == "__main__":
    main(sys.argv[1:])
