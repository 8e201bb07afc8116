"""A host that is told to stop while it is still about to begin ends like any other."""

import asyncio
from pathlib import Path

import pytest

from farandole.engines.sqlite.log import SqliteLog
from farandole.events.event import Event
from farandole.runtime.declare import Service
from farandole.runtime.host import Host, Options


class Asked(Event, type="asked", key="key", final=True):
    key: str


service = Service("asking", accepts=[Asked])


@service.step
async def look(event: Asked) -> None:
    """Nothing to do."""


@pytest.mark.parametrize("turns", [0, 1, 2, 5, 20])
async def test_told_to_stop_as_soon_as_it_has_started_it_ends(tmp_path: Path, turns: int) -> None:
    """However far its workers have come by then."""
    log = await SqliteLog.open(tmp_path / "log.db")
    stop, begun = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(Host(service, log, options=Options(partitions=1)).run(stop, begun))
    await begun.wait()
    for _ in range(turns):
        await asyncio.sleep(0)
    stop.set()
    async with asyncio.timeout(10):
        await running
    assert await log.leases() == {}
    await log.close()
