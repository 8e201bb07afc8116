"""(d) The demonstration's chain with its services up, beside a plain loop of the same functions: one scene, eight."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from farandole.client import AsyncClient
from farandole.events.errors import BadInput
from ingest.sensors import load_sensors
from scripts.demo.scene import TYPE, Scene, find_scene
from tests.bench.bars import Bar, ratio_bar
from tests.support.plain_chain import demo_scene, run_chain
from tests.support.stage import Stage

PAIRS = 7
MANY = 8
PATIENCE = 300.0
TARGETS = [
    f"{name}.steps:service"
    for name in "ingest stacking tiling calibration masking indices mosaic cog quicklook catalogue".split()
]


def run(pairs: int = PAIRS) -> list[Bar]:
    """Ours as a share of the plain loop's."""
    with tempfile.TemporaryDirectory(prefix="farandole-bench-") as name:
        return asyncio.run(_run(Path(name), pairs))


async def _run(folder: Path, pairs: int) -> list[Bar]:
    scene = find_scene()
    env = {"FARANDOLE_ROOTS": str(scene.folder), "CATALOGUE_SHELF": str(folder / "products")}
    one, many, seconds = [], [], []
    stage = Stage(folder, TARGETS, env, lease=6)
    async with stage, AsyncClient(stage.url) as client:
        await _first(stage, client, scene)
        for number in range(pairs):
            ours = await _dance(stage, client, scene, [f"one-{number}"])
            plain = await asyncio.to_thread(_loop, folder / f"plain-{number}", 1)
            ours_many = await _dance(stage, client, scene, [f"many-{number}-{n}" for n in range(MANY)])
            plain_many = await asyncio.to_thread(_loop, folder / f"plain-many-{number}", MANY)
            one.append(ours / plain)
            many.append(ours_many / plain_many)
            seconds.append(ours)
            sys.stderr.write(
                f"demo {number + 1}/{pairs}: one scene {ours:.2f} s (plain {plain:.2f}), "
                f"{MANY} scenes {ours_many:.2f} s (plain {plain_many:.2f})\n"
            )
    note = f"{sorted(seconds)[len(seconds) // 2]:.2f} s a scene"
    return [
        ratio_bar("demo chain / plain loop, one scene", one, 1.25, at_least=False, note=note),
        ratio_bar(f"demo chain / plain loop, {MANY} scenes", many, 1.0, at_least=False),
    ]


async def _first(stage: Stage, client: AsyncClient, scene: Scene) -> None:
    """A scene that is not counted: imports, caches, topics."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            await _dance(stage, client, scene, ["warm"])
            return
        except BadInput:  # the services have not made their topics yet
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.2)


async def _dance(stage: Stage, client: AsyncClient, scene: Scene, names: list[str]) -> float:
    """Seconds from before the publish until every workflow is complete."""
    begun = time.perf_counter()
    for name in names:
        await stage.publish(client, TYPE, scene.data | {"scene_id": name}, name)
    for workflow in stage.published[-len(names) :]:
        state = await client.wait(workflow, timeout=PATIENCE)
        if state.status != "complete":
            raise RuntimeError(f"workflow {workflow} ended {state.status}")
    return time.perf_counter() - begun


def _loop(folder: Path, scenes: int) -> float:
    """Seconds of the same functions in one process, one scene after the other."""
    sensor = load_sensors()["sentinel-2-l1c"]
    begun = time.perf_counter()
    for number in range(scenes):
        run_chain(demo_scene(), sensor, folder / str(number), tiled=True)
    return time.perf_counter() - begun
