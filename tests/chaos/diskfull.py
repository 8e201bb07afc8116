"""A full disk: the log on a small tmpfs; nothing acknowledged is lost, and all goes on when there is space again."""

import asyncio
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from farandole.client import AsyncClient
from farandole.events.errors import FarandoleError, LogError
from tests.bench.chain import SERVICES
from tests.support.stage import Stage

SIZE = "24m"
PATIENCE = 90.0  # seconds for each phase
ROOT = Path(__file__).resolve().parents[2]


async def fill_and_free(folder: Path) -> tuple[Stage, int]:
    """Run five services on a disk that is full for some seconds; the stage, and how many publishes were refused."""
    disk = folder / "log"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)]
    await asyncio.to_thread(subprocess.run, mount, check=True)
    targets = [f"tests.bench.chain:{service.name}" for service in SERVICES]
    stage = Stage(folder, targets, {"PYTHONPATH": str(ROOT)})
    async with stage:
        refused = await _publish_through(stage, disk)
        async with AsyncClient(stage.url) as client:
            states = await stage.finished(client, 60.0)
    left = [s.workflow for s in states if s.status != "complete"]
    if left:
        raise AssertionError(f"{len(left)} workflows did not end after the disk had space again: {left[:3]}")
    return stage, refused


async def _publish_through(stage: Stage, disk: Path) -> int:
    """Publish before, while and after the disk is full; how many publishes were refused."""
    await _publish(stage, wanted=100)
    await asyncio.to_thread(_fill, disk / "ballast")
    refused = await _publish(stage, wanted=0, refusals=10)
    (disk / "ballast").unlink()
    await _publish(stage, wanted=100)
    sys.stderr.write(f"disk full: {len(stage.published)} accepted, {refused} refused\n")
    return refused


async def _publish(stage: Stage, *, wanted: int, refusals: int = 0) -> int:
    """Publish until so many were accepted and so many refused; a client that was refused is opened anew."""
    until = len(stage.published) + wanted
    refused = 0
    deadline = time.monotonic() + PATIENCE
    while len(stage.published) < until or refused < refusals:
        if time.monotonic() > deadline:
            raise AssertionError(f"{len(stage.published)} of {until} accepted, {refused} of {refusals} refused in time")
        try:
            async with AsyncClient(stage.url) as client:
                while len(stage.published) < until or refused < refusals:
                    number = len(stage.published)
                    data = {"key": f"k{number % 7}", "sent": 0.0, "note": "x" * 2000}
                    if not await stage.publish(client, "hop0", data, f"event-{number}"):
                        refused += 1
                        break
        except FarandoleError as error:  # the topics are not there yet, or the log cannot even be opened
            refused += isinstance(error, LogError)
        await asyncio.sleep(0.05)
    return refused


def _fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(os.urandom(65536))


def unmount(folder: Path) -> None:
    """Give the small disk back."""
    subprocess.run(["umount", str(folder / "log")], check=False)
