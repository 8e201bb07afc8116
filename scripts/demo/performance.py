"""One performance: services up, one scene told, its workflow watched to the end, services down, product checked."""

import asyncio
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from farandole.client import AsyncClient, Published
from farandole.config import Loaded
from farandole.config.redact import redacted_url
from farandole.events.errors import BadInput
from farandole.events.manifest import Manifest, StepManifest
from farandole.fold import WorkflowState
from farandole.runtime.declare import DEFAULT_CONCURRENCY
from scripts.demo.cast import Cast
from scripts.demo.scene import TYPE, Scene
from scripts.demo.view import Pace, View

SOURCE = "demo"
_START = 120.0  # seconds that the services may take to start
_LOOK = 0.1  # seconds between two looks at who serves


@dataclass(frozen=True, slots=True)
class Stage:
    """Where products go, and where attempts work; the services' output goes beside the products."""

    products: Path
    scratch: Path


@dataclass(frozen=True, slots=True)
class Performance:
    """What happened: the workflow's last state, the seconds from its event to its end, and the product.

    `order`: the steps, as the services were started.
    """

    state: WorkflowState
    order: tuple[str, ...]
    log: str
    seconds: float
    product: Path
    problems: tuple[str, ...]

    @property
    def tiles(self) -> int:
        """Tiles that came together, counted from the events."""
        return sum(event.topic == "tile.indexed" and not event.absent for event in self.state.events)


async def perform(scene: Scene, loaded: Loaded, stage: Stage, *, timeout: float, console: Console) -> Performance:
    """Raises CastFailed where the services do not come up or do not stay, TimeoutError after `timeout` seconds.

    And BadInput for a log that several processes cannot share.
    """
    env = {
        "FARANDOLE_CONFIG": str(loaded.file),
        "FARANDOLE_LOG": loaded.config.log,
        "FARANDOLE_ASSETS": loaded.config.assets,
        "FARANDOLE_ROOTS": os.pathsep.join(map(str, (*loaded.config.roots, scene.folder))),
        "FARANDOLE_SCRATCH": str(stage.scratch),
        "CATALOGUE_SHELF": str(stage.products),
    }
    cast = Cast(loaded.config.up.services, env=env, output=stage.products.parent / "services.log")
    async with AsyncClient(loaded.config.log) as client:
        if not client.log.capabilities.shared:
            raise BadInput(f"--log {redacted_url(loaded.config.log)}: services in several processes cannot share it")
        async with cast:
            found = paces(await _serving(client, cast, len(loaded.config.up.services)), loaded)
            published = await client.publish(TYPE, scene.data, source=SOURCE)
            console.print(f"published {TYPE} {published.id}; its workflow is {published.workflow}")
            state = await _watch(client, cast, published, View(found, console=console), timeout)
    product = stage.products / scene.scene_id
    problems = await _check(product) if state.status == "complete" else ()
    seconds = state.summary.updated - state.summary.started
    return Performance(state, tuple(found), loaded.config.log, seconds, product, problems)


async def _serving(client: AsyncClient, cast: Cast, wanted: int) -> list[Manifest]:
    """Wait until so many services have declared themselves and lease what their steps take."""
    began = time.monotonic()
    while time.monotonic() - began < _START:
        if cast.ended.is_set():
            raise cast.failure("the services ended before they served")
        manifests = (await client.observe()).manifests.values()
        leased = await client.log.leases()
        serving = [m for m in manifests if m.steps and all(leased.get(f"{m.service}/{s.name}") for s in m.steps)]
        if len({m.service for m in serving}) >= wanted:
            return serving
        await asyncio.sleep(_LOOK)
    raise cast.failure(f"the services did not all serve within {_START:g} s")


async def _watch(client: AsyncClient, cast: Cast, published: Published, view: View, timeout: float) -> WorkflowState:
    with view:
        waiting = asyncio.ensure_future(client.wait(published.workflow, timeout, progress=view.show))
        gone = asyncio.ensure_future(cast.ended.wait())
        try:
            await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                raise cast.failure("the services ended before the workflow did")
            return waiting.result()
        finally:
            waiting.cancel()
            gone.cancel()
            await asyncio.gather(waiting, gone, return_exceptions=True)


def paces(manifests: Iterable[Manifest], loaded: Loaded) -> dict[str, Pace]:
    """How each step works, in the order in which the services are started."""
    order = [target.partition(".")[0] for target in loaded.config.up.services]
    steps = [(m.service, step) for m in manifests for step in m.steps]
    steps.sort(key=lambda found: order.index(found[0]) if found[0] in order else len(order))
    return {f"{service}/{step.name}": _pace(loaded, service, step) for service, step in steps}


def _pace(loaded: Loaded, service: str, step: StepManifest) -> Pace:
    configured = loaded.capacity(service, step.name).concurrency
    return Pace(configured or DEFAULT_CONCURRENCY[step.runs], gathers=step.shape != "one")


async def _check(product: Path) -> tuple[str, ...]:
    """In a process of its own: what reads rasters is slow to load, and nothing here needs it before."""
    argv = [sys.executable, "-m", "scripts.demo.check", str(product)]
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    lines = tuple(out.decode(errors="replace").splitlines())
    return lines or ((f"the check ended with {process.returncode}",) if process.returncode else ())
