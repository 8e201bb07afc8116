"""What has ended is committed while what the same worker took next is still under way."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from farandole.client import AsyncClient
from farandole.engines.sqlite.log import SqliteLog
from farandole.events.event import Event
from farandole.runtime.declare import Service
from farandole.runtime.host import Host, Options

SHORT = 5  # deliveries before the long one
PATIENCE = 20.0  # seconds
go_on = threading.Event()


class Asked(Event, type="beside.asked", key="key"):
    key: str
    long: bool


class Answered(Event, type="beside.answered", key="key", final=True):
    key: str


on_loop = Service("on-loop", accepts=[Asked])
in_thread = Service("in-thread", accepts=[Asked])


@on_loop.step(concurrency=1)
async def answer(asked: Asked) -> Answered:
    while asked.long and not go_on.is_set():  # noqa: ASYNC110 - the test tells it
        await asyncio.sleep(0.01)
    return Answered(key=asked.key)


@in_thread.step(name="answer", concurrency=1)
def answer_there(asked: Asked) -> Answered:
    if asked.long:
        go_on.wait(PATIENCE * 2)
    return Answered(key=asked.key)


@asynccontextmanager
async def served(service: Service, log: SqliteLog) -> AsyncIterator[None]:
    stop, begun = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(Host(service, log, options=Options(partitions=1)).run(stop, begun))
    try:
        await begun.wait()
        yield
    finally:
        stop.set()
        await running


@pytest.mark.parametrize("service", [on_loop, in_thread], ids=lambda service: service.name)
async def test_short_ones_are_complete_before_the_long_one_has_ended(service: Service, tmp_path: Path) -> None:
    """One puller takes them all, and the long one last."""
    go_on.clear()
    log = await SqliteLog.open(tmp_path / "log.db")
    async with served(service, log):
        pass  # it makes its topics
    client = AsyncClient(log)
    keys = [*(f"short-{n}" for n in range(SHORT)), "long"]
    asked = [await client.publish(Asked(key=key, long=key == "long"), id=key) for key in keys]
    async with served(service, log):
        try:
            for one in asked[:SHORT]:
                assert (await client.wait(one.workflow, timeout=PATIENCE)).status == "complete"
            assert (await client.status(asked[SHORT].workflow)).status == "running"
        finally:
            go_on.set()
        assert (await client.wait(asked[SHORT].workflow, timeout=PATIENCE)).status == "complete"
    await client.close()
    await log.close()
