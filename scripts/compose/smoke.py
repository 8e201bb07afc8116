"""`make smoke`: the demonstration's scene goes through the containers; what comes of it is looked at from outside."""

import asyncio
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from farandole.client import AsyncClient
from farandole.config import load
from farandole.fold import WorkflowState
from scripts.compose import assets, product, samples, traces
from scripts.compose.project import ONCE, PROFILES, ROOT, Container
from scripts.compose.reading import until_nothing
from scripts.compose.stage import Stage, in_container, prepare_trial
from scripts.demo.performance import paces
from scripts.demo.scene import TYPE, Scene
from scripts.demo.view import View

SOURCE = "smoke"
_START = 300.0  # seconds for all containers to be well
_SPANS = 60.0  # seconds for the last span to come
_SAMPLES = 180.0  # seconds until Prometheus has found, and asked twice, whom it shall ask


class Finding(NamedTuple):
    """Something that was looked at; `said`: what was found, or what is wrong."""

    what: str
    well: bool
    said: str


@dataclass(frozen=True, slots=True)
class Smoked:
    """How it went. `images`: what ran, by service; `not_started`: what this profile leaves out."""

    profile: str
    project: str
    log: str
    state: WorkflowState
    seconds: float
    findings: tuple[Finding, ...]
    images: dict[str, str]
    not_started: tuple[str, ...]

    @property
    def well(self) -> bool:
        """Whether everything is as it should be."""
        return self.state.status == "complete" and all(finding.well for finding in self.findings)


def smoke(stage: Stage, scene: Scene, scratch: Path, *, timeout: float, console: Console) -> Smoked:
    """On containers that are up. Raises ComposeFailed, TimeoutError after `timeout` seconds of work, LogUnavailable."""
    with product.reference(scratch / "sqlite") as expected:
        containers = stage.project.wait_well(_START)
        console.print(f"{len(containers)} containers are well; the log is {stage.log}")
        state = asyncio.run(dance(stage.log, in_container(scene), timeout=timeout, console=console))
        findings = list(_look(stage, scene, state, expected, scratch)) if state.status == "complete" else []
    return Smoked(
        stage.project.profile,
        stage.project.name,
        stage.log,
        state,
        state.summary.updated - state.summary.started,
        tuple(findings),
        {one.service: one.about["Config"]["Image"] for one in containers.values()},
        PROFILES[stage.project.profile],
    )


async def dance(log: str, data: dict[str, Any], *, timeout: float, console: Console) -> WorkflowState:
    """Publish a scene, and show its workflow until nothing of it moves. Raises TimeoutError, LogUnavailable."""
    async with AsyncClient(log) as client:
        manifests = (await client.observe()).manifests.values()
        published = await client.publish(TYPE, data, source=SOURCE)
        console.print(f"published {TYPE} {published.id}; its workflow is {published.workflow}")
        with View(paces(manifests, load(file=ROOT / "farandole.toml")), console=console) as view:
            return await client.wait(published.workflow, timeout, progress=view.show)


@contextmanager
def trial(stage: Stage, *, keep: str = "") -> Iterator[Stage]:
    """Another project like this one, up inside, and gone with its volumes afterwards; or kept under a name."""
    found = prepare_trial(stage, keep or f"farandole-smoke-{uuid.uuid4().hex[:6]}")
    try:
        found.project.up()
        yield found
    finally:
        if not keep:
            found.project.down(wipe=True)


def _look(
    stage: Stage, scene: Scene, state: WorkflowState, expected: product.Reference, scratch: Path
) -> Iterator[Finding]:
    done = sum(count.completed for count in state.summary.steps.values())
    services = [step.partition("/")[0] for step in state.summary.steps]
    wrong = product.flaws(product.fetch(stage.project, scene.scene_id, scratch / "product"), expected.product())
    yield _finding("product", wrong, "every pixel is that of the run on SQLite; files and checksums are valid")
    if assets.OBJECTS not in PROFILES[stage.project.profile]:
        stored = assets.stored(stage.project)
        wrong = assets.misplaced(stored, assets.in_folder(stage.project))
        yield _finding("assets", wrong, f"{stored} contents, all of them in the object store")
    spans: list[traces.Seen] = []

    def lacking() -> list[str]:
        spans[:] = _spans(stage, state)
        return traces.missing(state, spans)

    wrong = until_nothing(lacking, _SPANS)
    yield _finding("spans", wrong, f"{len(spans)} spans, one trace")
    url = stage.page("PROMETHEUS")
    wrong = until_nothing(lambda: samples.missing(url, services, done), _SAMPLES)
    said = (
        f"{len(services)} services and the projector; {done} outcomes; {len(samples.fleet_queries())} queries answered"
    )
    yield _finding("samples", wrong, said)
    wrong = until_nothing(lambda: _untold(stage, state), _SPANS)
    yield _finding("tables", wrong, "PostgreSQL tells that the workflow is complete")
    found = stage.project.containers()
    wrong = [flaw for one in found.values() for flaw in unsealed(one)]
    yield _finding("containers", wrong, f"{len(found)} without root, on a read-only root, healthy")


def _untold(stage: Stage, state: WorkflowState) -> list[str]:
    """What the projector's tables do not tell of a workflow that is complete."""
    command = ["exec", stage.project.containers()["observe"].id, "/opt/farandole/bin/farandole", "status"]
    done = stage.project.engine.ask(*command, state.workflow, "--json")
    if done.returncode:
        return [f"farandole status ended with {done.returncode}: {done.stderr.strip()}"]
    (found,) = json.loads(done.stdout)["workflows"]
    return [] if found["status"] == "complete" else [f"to the tables the workflow is {found['status']}"]


def unsealed(container: Container) -> Iterator[str]:
    """In what a container is not as it should be: unprivileged, read-only, well."""
    host, user = container.about["HostConfig"], container.about["Config"]["User"]
    if user.partition(":")[0] in ("", "0", "root"):
        yield f"{container.service} runs as root"
    if not host["ReadonlyRootfs"]:
        yield f"{container.service} may write to its root"
    if host["Privileged"] or host["CapDrop"] != ["ALL"] or host["CapAdd"]:
        yield f"{container.service} has capabilities"
    if not container.well:
        yield f"{container.service} is {container.status}, {container.health or 'without a check'}"
    elif not container.health and container.service != ONCE:
        yield f"{container.service} has no health check"


def _spans(stage: Stage, state: WorkflowState) -> list[traces.Seen]:
    if stage.project.profile == "full":
        return traces.of_jaeger(stage.page("JAEGER"), state.workflow)
    return traces.of_receiver(stage.project)


def _finding(what: str, wrong: Sequence[str], said: str) -> Finding:
    return Finding(what, not wrong, "; ".join(wrong) if wrong else said)
