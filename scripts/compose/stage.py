"""A project with all that it needs: images, passwords, ports, scenes. `make up` and `make smoke` begin here."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scripts.compose.images import build_services, find_images
from scripts.compose.project import NAME, PROFILES, Profile, Project
from scripts.compose.secrets import make_secrets
from scripts.containers import Engine
from scripts.demo.scene import Scene
from scripts.kafka.settings import free_ports

PORTS = {"KAFKA": 9092, "POSTGRES": 5432, "PROMETHEUS": 9090, "JAEGER": 16686, "GRAFANA": 3000}
"""What compose.yaml publishes on loopback, by the first part of the variable that says otherwise."""
RECEIVER = Path(__file__).with_name("receiver.yaml")
RECEIVED = "otlp+http://receiver:4318"  # where it takes spans
OWN_COPIES = "/tmp/assets"  # a folder that a container shares with none
_SCENES = "/scenes"  # where a container sees them


@dataclass(frozen=True, slots=True)
class Stage:
    """A project, and where it is seen from here."""

    project: Project
    ports: dict[str, int]

    @property
    def log(self) -> str:
        """The URL of its log, from this machine."""
        return f"kafka://localhost:{self.ports['KAFKA']}/demo"

    def page(self, name: str) -> str:
        """The address of a page: of PROMETHEUS, JAEGER, GRAFANA."""
        return f"http://localhost:{self.ports[name]}"


def prepare(engine: Engine, profile: Profile, scene: Scene, say: Callable[[str], None]) -> Stage:
    """As people have it: under the usual name, on the usual ports. Raises NoImage, NoBase, EngineFailed."""
    build_services(engine, profile, say)
    variables = find_images(engine, profile, say) | {"SECRETS": str(make_secrets())}
    variables["SCENES"] = os.environ.get("SCENES") or str(scene.folder)
    ports = {name: int(os.environ.get(f"{name}_PORT") or port) for name, port in PORTS.items()}
    return Stage(Project(engine, profile, NAME, variables), ports)


def prepare_trial(stage: Stage, name: str) -> Stage:
    """The same under another name and on free ports, so that it disturbs nobody.

    Without Jaeger a receiver of ours takes the spans. Each container has its own copies of what lies in a bucket, so
    that whatever it gets comes from there.
    """
    found = [port for ports in free_ports(2) for port in (ports.client, ports.broker, ports.controller)]
    ports = dict(zip(PORTS, found, strict=False))
    variables = {**(stage.project.variables or {})} | {f"{each}_PORT": str(port) for each, port in ports.items()}
    variables["ASSET_CACHE"] = OWN_COPIES
    project = replace(stage.project, name=name, variables=variables)
    if "jaeger" in PROFILES[project.profile]:
        project = replace(project, variables={**variables, "TRACES": RECEIVED}, more=(RECEIVER,))
    return Stage(project, ports)


def in_container(scene: Scene, scene_id: str = "") -> dict[str, Any]:
    """What the event says of a scene, with its bands as the ingest service sees them; under another id, if given."""
    bands = {band: f"file://{_SCENES}/{Path(uri).name}" for band, uri in scene.data["bands"].items()}
    return {**scene.data, "bands": bands, "scene_id": scene_id or scene.scene_id}
