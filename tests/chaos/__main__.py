"""`make chaos KILLS=n SEED=n`: scenes are processed while services die; exit 1 where the checker finds anything."""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from farandole.client import AsyncClient
from farandole.events.errors import BadInput
from ingest.sensors import load_sensors
from scripts.demo.scene import TYPE, Scene, find_scene
from tests.chaos import diskfull, looks
from tests.chaos.attack import Attack
from tests.chaos.checker import read_log
from tests.chaos.crop import crop
from tests.support.plain_chain import run_chain
from tests.support.stage import Stage
from tests.support.traces import connected

ROOT = Path(__file__).resolve().parents[2]
TARGETS = [
    f"{name}.steps:service"
    for name in "ingest stacking tiling calibration masking indices mosaic cog quicklook catalogue".split()
]
AT_ONCE = 4  # scenes in flight
STARTS_WITHIN = 60.0
HEALS_WITHIN = 120.0


def main() -> int:
    """Parse, run, judge, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-disk", action="store_true", help="leave out the full disk (it needs the right to mount)")
    options = parser.parse_args()
    began = time.monotonic()
    report: dict[str, Any] = {"seed": options.seed}
    with tempfile.TemporaryDirectory(prefix="farandole-chaos-") as name:
        report |= asyncio.run(_kills(Path(name) / "kills", options.kills, options.seed))
    if not options.no_disk:
        with tempfile.TemporaryDirectory(prefix="farandole-chaos-") as name:
            report["disk_full"] = asyncio.run(_disk(Path(name)))
    report["seconds"] = round(time.monotonic() - began, 1)
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    problems = _problems(report)
    for problem in problems:
        sys.stderr.write(f"CHAOS FAIL: {problem}\n")
    if problems:
        sys.stderr.write(f"again: make chaos KILLS={options.kills} SEED={options.seed}\n")
    return 1 if problems else 0


async def _kills(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    folder.mkdir()  # noqa: ASYNC240 - nothing else runs yet
    part = crop(folder / "scene")
    scene = _scene(folder / "scene", part.bands)
    expected = run_chain(part, load_sensors()["sentinel-2-l1c"], folder / "plain", tiled=True).product
    env = {"FARANDOLE_ROOTS": str(scene.folder), "CATALOGUE_SHELF": str(folder / "products")}
    stage = Stage(folder, TARGETS, env)
    async with stage, AsyncClient(stage.url) as client:
        await _first(stage, client, scene)
        await client.wait(stage.published[0], timeout=HEALS_WITHIN)  # all ten are up and at work
        attack = Attack(stage, kills, seed)
        publishing = asyncio.create_task(_publish(stage, client, scene))
        try:
            tally = await attack.run()
        finally:
            publishing.cancel()
        states = await stage.finished(client, HEALS_WITHIN)
    await asyncio.sleep(5.0)
    unfinished = {s.workflow: s.status for s in states if s.status != "complete"}
    return {
        "faults": asdict(tally),
        "scenes": len(stage.published),
        "unfinished": unfinished,
        "orphans": looks.marked(stage.token),
        "verdict": _judge(stage, folder / "assets", expected),
        "traces": await connected(stage.url, read_log(stage.log)[1]),
    }


def _scene(folder: Path, bands: Mapping[str, Path]) -> Scene:
    """What is published of the part: the demonstration's words, other places."""
    data = find_scene().data | {"bands": {name: path.as_uri() for name, path in bands.items()}}
    return Scene(folder, data)


async def _first(stage: Stage, client: AsyncClient, scene: Scene) -> None:
    """Publish as soon as the services have made their topics."""
    deadline = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            if await stage.publish(client, TYPE, _data(scene, 0), "scene-0"):
                return
        except BadInput:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.2)


async def _publish(stage: Stage, client: AsyncClient, scene: Scene) -> None:
    """Keep scenes in flight; two names in turn, so that every order value sees several events."""
    number = 1
    while True:
        summaries = {s.workflow: s for s in await client.workflows()}
        moving = [w for w in stage.published if w not in summaries or summaries[w].status != "complete"]
        if len(moving) < AT_ONCE and await stage.publish(client, TYPE, _data(scene, number), f"scene-{number}"):
            number += 1
        await asyncio.sleep(0.2)


def _data(scene: Scene, number: int) -> dict[str, Any]:
    return scene.data | {"scene_id": f"{scene.scene_id}-{number % 2}"}


async def _disk(folder: Path) -> dict[str, Any]:
    try:
        stage, refused = await diskfull.fill_and_free(folder)
        acks = (stage.folder / "acks.jsonl").rename(stage.folder / "disk-acks.jsonl")
        stage.acks = acks
        return {
            "accepted": len(stage.published),
            "refused": refused,
            "orphans": looks.marked(stage.token),
            "verdict": _judge(stage, folder, None),
        }
    finally:
        diskfull.unmount(folder)


def _judge(stage: Stage, assets: Path, expected: Path | None) -> dict[str, Any]:
    """The checker's word, from a process of its own."""
    command = [sys.executable, "-m", "tests.chaos.checker", str(stage.log), str(stage.acks), str(assets)]
    command += [str(expected)] if expected is not None else []
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=dict(os.environ))
    if not done.stdout:
        raise RuntimeError(f"the checker said nothing: {done.stderr[-2000:]}")
    verdict: dict[str, Any] = json.loads(done.stdout)
    verdict["findings"] = {kind: found[:20] for kind, found in verdict["findings"].items() if found}
    return verdict


def _problems(report: dict[str, Any]) -> list[str]:
    faults = report["faults"]
    problems = [f"{what}: {report[what]}" for what in ("unfinished", "orphans") if report[what]]
    if not report["verdict"]["ok"]:
        problems.append(f"the checker found {report['verdict']['counts']}")
    if report["traces"]["wrong"]:
        problems.append(f"traces do not hang together: {report['traces']}")
    if faults["held"] * 2 < faults["kills"]:
        problems.append(f"only {faults['held']} of {faults['kills']} kills hit a delivery in flight")
    disk = report.get("disk_full")
    if disk is not None:
        if not disk["refused"]:
            problems.append("the full disk refused nothing: the test has no teeth")
        if disk["orphans"] or not disk["verdict"]["ok"]:
            problems.append(f"full disk: {disk['orphans']}, {disk['verdict']['counts']}")
    return problems


if __name__ == "__main__":
    sys.exit(main())
