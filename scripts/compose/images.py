"""Which images compose.yaml is given: the publishers' own, or what stands in here for some of them."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from scripts import jars
from scripts.compose.errors import NoImage
from scripts.compose.project import DEPLOY, FILE, PROFILES, Profile
from scripts.containers import Engine, debian, find_base
from scripts.containers.bases import is_to_be_had
from scripts.containers.debian import Release
from scripts.containers.images import ALL, build, image_name, services, shared_requirements
from scripts.containers.places import cache, locked
from scripts.kafka.artifacts import SERVER as KAFKA
from scripts.s3.server import POM as S3PROXY

_DEFAULT = re.compile(r"\$\{(\w+)_IMAGE:-([^}]+)\}")
_RELEASE: Release = "bookworm"
_SCRIPTS = Path(__file__).parents[1]


def defaults(profile: Profile) -> dict[str, str]:
    """What compose.yaml takes by itself, by the first part of the variable that says otherwise."""
    found = dict(_DEFAULT.findall(FILE.read_text(encoding="utf-8")))
    return {name: image for name, image in found.items() if name.lower() not in PROFILES[profile]}


def build_services(engine: Engine, profile: Profile, say: Callable[[str], None]) -> None:
    """Of this checkout; what has not changed is there already. Nothing where other images of the services are named.

    Raises NoBase, EngineFailed.
    """
    if os.environ.get("SERVICE_IMAGES") or os.environ.get("SERVICE_TAG"):
        return
    base, alike = find_base(engine), {"SHARED": " ".join(shared_requirements())}
    for service in (*services(), ALL):
        if service not in PROFILES[profile]:
            say(f"building {image_name(service)} on {base.image}")
            build(engine, service, base, variables=alike if service == ALL else {})


def find_images(engine: Engine, profile: Profile, say: Callable[[str], None]) -> dict[str, str]:
    """The variables that have to be set: one for each image that is neither named nor to be had, and was made here.

    Raises NoImage where one cannot be made.
    """
    variables = {}
    for name, image in defaults(profile).items():
        variable = f"{name}_IMAGE"
        if os.environ.get(variable) or is_to_be_had(engine, image):
            continue
        made = _MADE_OF.get(name)
        if made is None:
            raise NoImage(f"{image} cannot be pulled, and is not made here; name another by {variable}")
        say(f"{image} cannot be pulled; an image of ours stands in for it")
        variables[variable] = _made(engine, name.lower(), made)
    return variables


def _made(engine: Engine, name: str, more: Mapping[str, jars.Server | Path]) -> str:
    """The name of our own image, built where the engine does not have it yet. Raises NoImage."""
    place, base = DEPLOY / "images" / name, debian(engine, _RELEASE).image
    content = hashlib.sha256(base.encode())
    for path in sorted(place.iterdir()):
        content.update(path.name.encode() + path.read_bytes())
    try:
        found = {
            called: jars.find_jars(part) if isinstance(part, jars.Server) else part for called, part in more.items()
        }
    except jars.NoJars as error:
        raise NoImage(f"no image of {name} can be made: {error}") from error
    content.update("".join(path.name for path in found.values()).encode())
    image = f"farandole-{name}:{content.hexdigest()[:12]}"
    with locked(cache() / f"{name}.lock"):
        if not engine.has_image(image):
            _build(engine, place, found, ["--build-arg", f"BASE={base}", "--tag", image])
    return image


def _build(engine: Engine, place: Path, more: Mapping[str, Path], options: list[str]) -> None:
    """Of a copy with `more` folders in it, by hard links, beside what they are links to."""
    with tempfile.TemporaryDirectory(prefix=".context-", dir=cache()) as scratch:
        context = Path(scratch) / "context"
        shutil.copytree(place, context)
        for name, path in more.items():
            if path.is_dir():
                shutil.copytree(path, context / name)
            else:
                shutil.copy(path, context / name)
        engine.docker("build", "--quiet", "--network", "host", *options, str(context))


# By the first part of the variable, what its folder below deploy/images lacks: jars, and a file.
_MADE_OF: Mapping[str, Mapping[str, jars.Server | Path]] = {
    "KAFKA": {"libs": KAFKA, "log4j2.properties": _SCRIPTS / "kafka" / "log4j2.properties"},
    "POSTGRES": {},
    "PROMETHEUS": {},
    "OBJECTS": {"libs": S3PROXY, "logback.xml": _SCRIPTS / "s3" / "logback.xml"},
}
