"""What is in the images: everything that the service needs, told of in full, and nothing to build with."""

import functools
import json
from pathlib import Path
from typing import Any

import cyclonedx.schema
import jsonschema
import pytest
from referencing import Registry
from referencing.jsonschema import DRAFT7

from scripts.containers import Engine
from scripts.containers.images import SBOM, services, version
from tests.containers.building import Built, Python
from tests.containers.running import HARDENED

pytestmark = [pytest.mark.slow, pytest.mark.e2e]
INSIDE = Path(__file__).with_name("inside.py")
EACH: list[tuple[str, Python]] = [
    *((service, "3.13") for service in services()),
    ("masking", "3.11"),
    ("observe", "3.11"),
]
LARGEST = 700_000_000  # bytes of any image: what the heaviest needs, and a fifth more


@pytest.fixture(params=EACH, ids=lambda each: f"{each[0]}-{each[1]}")
def each(request: pytest.FixtureRequest, built: Built, engine: Engine) -> "Looked":
    """An image, and what is found inside."""
    service, python = request.param
    return Looked(engine, service, python, built.image(service, python).name)


class Looked:
    """An image as the engine describes it, and from inside."""

    def __init__(self, engine: Engine, service: str, python: str, image: str) -> None:
        self.service, self.python, self.image = service, python, image
        self._engine = engine
        self.about = engine.inspect(image)

    @functools.cached_property
    def inside(self) -> dict[str, Any]:
        """What inside.py finds, in a container as production runs it."""
        command = ["--interactive", *HARDENED, "--entrypoint", "/opt/farandole/bin/python", self.image, "-"]
        found: dict[str, Any] = json.loads(self._engine.docker("run", "--rm", *command, stdin=INSIDE.read_bytes()))
        return found

    def cat(self, path: str) -> str:
        """A file of the image."""
        return self._engine.docker("run", "--rm", *HARDENED, "--entrypoint", "cat", self.image, path)


def test_an_image_is_hardened_and_tells_of_all_that_is_in_it(each: Looked) -> None:
    """In one test, for each look inside costs a container."""
    config, inside = each.about["Config"], each.inside
    assert config["User"] == "10001:10001"
    assert inside["uid"] == 10001
    assert inside["python"].startswith(f"{each.python}.")
    assert inside["writable"] == ["/tmp"]
    assert (inside["tools"], inside["pip"], inside["ensurepip"], inside["lists"]) == ([], [], [], [])
    assert (inside["tests"], inside["uncompiled"]) == ([], [])
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in config["Labels"].items()}
    assert labels["title"] == f"farandole/{each.service}"
    assert (labels["version"], labels["licenses"]) == (version(each.service), "Apache-2.0")
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert each.about["Size"] < LARGEST
    assert_told(json.loads(each.cat(SBOM)), inside)


def assert_told(bom: dict[str, Any], inside: dict[str, Any]) -> None:
    """The list is valid CycloneDX, and holds exactly what is installed."""
    validate(bom)
    told = [(part["purl"].partition("/")[0], [part["name"], part["version"]]) for part in bom["components"]]
    assert sorted(what for kind, what in told if kind == "pkg:pypi") == inside["python_packages"]
    assert sorted(what for kind, what in told if kind == "pkg:deb") == inside["debian_packages"]
    assert [what for kind, what in told if kind == "pkg:generic"] == [["python", inside["python"]]]


def validate(bom: dict[str, Any]) -> None:
    """Against the schemas that cyclonedx-python-lib ships."""
    folder = Path(cyclonedx.schema.__file__).parent / "_res"
    shapes = {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}
    schema = shapes["bom-1.6.SNAPSHOT.schema.json"]
    base = schema["$id"].rpartition("/")[0]
    known = [(f"{base}/{name}", DRAFT7.create_resource(shape)) for name, shape in shapes.items()]
    jsonschema.Draft7Validator(schema, registry=Registry().with_resources(known)).validate(bom)


def test_what_images_share_is_stored_once(built: Built, engine: Engine) -> None:
    """The library's layer is one for all, that of rasters one for the services."""
    masking, tiling, observe = (_layers(engine, built.image(name).name) for name in ("masking", "tiling", "observe"))
    assert len(_common(masking, tiling)) >= len(_common(masking, observe)) + 1
    assert len(_common(masking, observe)) >= 3  # the base, the user, the library


def _layers(engine: Engine, image: str) -> list[str]:
    found: list[str] = engine.inspect(image)["RootFS"]["Layers"]
    return found


def _common(one: list[str], other: list[str]) -> list[str]:
    return [mine for mine, theirs in zip(one, other, strict=False) if mine == theirs]
