"""Builds the images of this checkout: which there are, what each is given, and what came of it."""

import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.containers.bases import Base
from scripts.containers.client import Engine
from scripts.containers.places import ROOT

OBSERVE, ALL = "observe", "all"
SBOM = "/usr/share/sbom/farandole.cdx.json"
_OURS = "farandole"
_LIMIT = 1_200.0  # seconds of one build; a minute where the network is quick and nothing is cached


@dataclass(frozen=True, slots=True)
class Image:
    """An image that was built. `size`: bytes, with those that it shares with others."""

    service: str
    name: str
    size: int


def services() -> list[str]:
    """Every service that an image of its own is made of, in the order of their names, and `observe`."""
    return [*sorted(path.parent.name for path in (ROOT / "services").glob("*/pyproject.toml")), OBSERVE]


def build(
    engine: Engine, service: str, base: Base, *, name: str = "", variables: Mapping[str, str] | None = None
) -> Image:
    """Build one: a folder of services/, `observe`, several of these in one text, or `all`.

    `name`: default `farandole/SERVICE:VERSION`. `variables`: further build arguments. Raises EngineFailed with the end
    of what the build said.
    """
    name = name or image_name(service)
    given = {
        "BASE": base.image,
        "BUILDER": base.builder,
        "SERVICE": service,
        "SHARED": " ".join(shared_requirements()) if service in _built_alike() else "",
        "VERSION": version(service),
        "REVISION": _revision(),
        **(variables or {}),
    }
    arguments = [text for key, value in given.items() for text in ("--build-arg", f"{key}={value}")]
    # On the host's network: a bridge need not lead anywhere. Each build ends with the same few commands.
    command = ["build", "--network", "host", "--file", str(_file(service)), "--tag", name, *arguments, str(ROOT)]
    engine.docker(*command, timeout=_LIMIT)
    return Image(service, name, int(engine.inspect(name)["Size"]))


def image_name(service: str) -> str:
    """As it is tagged where nothing else is asked for."""
    return f"farandole/{service.replace(' ', '-')}:{version(service)}"


def version(service: str) -> str:
    """That of its package; of several, and of `all`, the library's."""
    place = ROOT / "services" / service
    if not (place / "pyproject.toml").is_file():
        place = ROOT / "libs" / ("farandole-observe" if service == OBSERVE else "farandole")
    return str(_project(place)["version"])


def shared_requirements() -> list[str]:
    """What every service needs of others: one layer for all of them."""
    needed = [_third_party(ROOT / "services" / service) for service in _built_alike()]
    return sorted(set.intersection(*needed))


def sbom(engine: Engine, image: str) -> str:
    """What the image says that is in it, as CycloneDX JSON."""
    return engine.docker("run", "--rm", "--network", "none", "--entrypoint", "cat", image, SBOM)


def _built_alike() -> list[str]:
    """The services with one set of pinned versions."""
    folder = ROOT / "services"
    return [name for name in services() if name != OBSERVE and not (folder / name / "constraints.txt").exists()]


def _third_party(place: Path) -> set[str]:
    return {each for each in _project(place).get("dependencies", []) if not each.startswith(_OURS)}


def _project(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((place / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def _file(service: str) -> Path:
    own = ROOT / "deploy" / service / "Dockerfile"
    return own if own.is_file() else ROOT / "deploy" / "Dockerfile"


def _revision() -> str:
    """The commit; empty where this is no checkout."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--verify", "--quiet", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
