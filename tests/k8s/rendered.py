"""What `farandole k8s render` prints for this repository, and questions about it."""

import contextlib
import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from farandole.cli import main
from farandole.cli.options import settings
from farandole.cli.services import chosen_services
from farandole.runtime.declare import Service

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = (None, "dev", "production")
IDS = ["base", "dev", "production"]
Document = dict[str, Any]


def render(*args: str) -> str:
    """The command's stdout."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["k8s", "render", "--config", str(ROOT / "farandole.toml"), *args]) == 0
    return out.getvalue()


@cache
def rendered(overlay: str | None = None, *more: str) -> list[Document]:
    """Every document of the base, or of an overlay; not to be changed, for others see it too."""
    return parsed(render(*more, *([] if overlay is None else ["--overlay", overlay])))


def parsed(text: str) -> list[Document]:
    """Every document of a stream."""
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))


@cache
def services() -> dict[str, Service]:
    """This repository's, by name."""
    return {service.name: service for service in chosen_services(None, settings(ROOT / "farandole.toml"))}


def of_kind(kind: str, documents: list[Document]) -> dict[str, Document]:
    """By name."""
    found = [made for made in documents if made["kind"] == kind]
    named = {made["metadata"]["name"]: made for made in found}
    assert len(named) == len(found)
    return named


def pods(documents: list[Document]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The pod template of each Deployment, by its name."""
    for name, made in of_kind("Deployment", documents).items():
        yield name, made["spec"]["template"]


def environment(name: str, documents: list[Document]) -> dict[str, str]:
    """What the process of a Deployment is told, secrets by reference left out."""
    told = dict(of_kind("ConfigMap", documents)["farandole"]["data"])
    (container,) = of_kind("Deployment", documents)[name]["spec"]["template"]["spec"]["containers"]
    return told | {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
