"""A full disk: the log on a small tmpfs; nothing acknowledged is lost, and all goes on when there is space again."""

import asyncio
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from farandole.client import AsyncClient
from farandole.events.errors import FarandoleError
from tests.bench.chain import SERVICES
from tests.chaos.stage import Stage

SIZE = "24m"
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
    """Publish before, while and after the disk is full; a client that was refused is opened anew."""
    number = refused = 0
    deadline = time.monotonic() + 60.0
    phases = iter(((3.0, None), (6.0, True), (3.0, False)))
    ends, fill = 0.0, None
    while time.monotonic() < deadline:
        if time.monotonic() > ends:
            step = next(phases, None)
            if step is None:
                break
            seconds, fill = step
            if fill is True:
                _fill(disk / "ballast")
            elif fill is False:
                (disk / "ballast").unlink()
            ends = time.monotonic() + seconds
        with suppress(FarandoleError):
            async with AsyncClient(stage.url) as client:
                for _ in range(20):
                    number += 1
                    data = {"key": f"k{number % 7}", "sent": 0.0, "note": "x" * 200}
                    if not await stage.publish(client, "hop0", data, f"event-{number}"):
                        refused += 1
                        break
        await asyncio.sleep(0.05)
    sys.stderr.write(f"disk full: {len(stage.published)} accepted, {refused} refused\n")
    return refused


def _fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(os.urandom(65536))


def unmount(folder: Path) -> None:
    """Give the small disk back."""
    subprocess.run(["umount", str(folder / "log")], check=False)
