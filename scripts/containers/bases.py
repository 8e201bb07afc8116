"""The images that ours begin with: pulled where a registry answers, else made here of Debian's packages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scripts.containers.client import Engine
from scripts.containers.debian import Release, debian_image
from scripts.containers.errors import EngineFailed, NoBase
from scripts.containers.trust import builder_image

DEFAULT = "python:3.13-slim"
_PULL = 300.0  # seconds; where nobody answers it fails at once
# The Debian release whose Python is that of the image which cannot be pulled.
_INSTEAD: Mapping[str, Release] = {"python:3.11": "bookworm", "python:3.13": "trixie"}
_PYTHON = ("ca-certificates", "python3")


@dataclass(frozen=True, slots=True)
class Base:
    """`image`: what a service's image begins with. `builder`: the same, with this machine's certificates and pip
    settings where it has any; only the stage that builds may begin with it.
    """

    image: str
    builder: str


def find_base(engine: Engine, wanted: str = DEFAULT) -> Base:
    """The image `wanted`; where the engine neither has it nor can pull it, a Debian with the same Python.

    Raises NoBase where there is none either, EngineFailed.
    """
    image = wanted if is_to_be_had(engine, wanted) else _instead(engine, wanted)
    return Base(image, builder_image(engine, image))


def debian(engine: Engine, release: Release = "trixie", packages: Sequence[str] = ()) -> Base:
    """A minimal Debian with `packages`, made on the first call on this machine. Raises NoBase, EngineFailed."""
    image = debian_image(engine, release, packages)
    return Base(image, builder_image(engine, image))


def is_to_be_had(engine: Engine, image: str) -> bool:
    """Whether the engine has an image, now that it has tried to pull one that it had not."""
    if engine.has_image(image):
        return True
    try:
        return engine.ask("pull", "--quiet", image, timeout=_PULL).returncode == 0
    except EngineFailed:  # nobody answered in all that time
        return False


def _instead(engine: Engine, wanted: str) -> str:
    for name, release in _INSTEAD.items():
        if wanted.startswith(name):
            return debian_image(engine, release, _PYTHON)
    raise NoBase(f"{wanted} can't be pulled, and none is made here in its stead; there are: {', '.join(_INSTEAD)}")
