"""Five light steps with a fan-out and a fan-in; a step that runs leaves a mark that a killed process cannot remove."""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import tests.chaos_kafka.planted  # noqa: F401 - it plants the defect that the environment names
from farandole.events.event import Event
from farandole.runtime.declare import Service

MARKS = "CHAOS_MARKS"
"""Environment: the folder of the marks, `pid~service~number~part` each."""
SHORTEST, LONGEST = 0.02, 0.12  # seconds that a step takes


class OrderTaken(Event, type="order.taken", key="key"):
    """Published by the rig; `parts`: how many there will be."""

    key: str
    number: int
    parts: int


class OrderChecked(Event, type="order.checked", key="key"):
    """After the first step."""

    key: str
    number: int
    parts: int


class PartCut(Event, type="part.cut", key="key"):
    """One of several after the second."""

    key: str
    number: int
    part: int


class PartWorked(Event, type="part.worked", key="key"):
    """After the third."""

    key: str
    number: int
    part: int


class OrderGathered(Event, type="order.gathered", key="key"):
    """All parts of an order, after the fourth."""

    key: str
    number: int
    parts: list[int]


class OrderDone(Event, type="order.done", key="key", final=True):
    """The end."""

    key: str
    number: int
    parts: list[int]


checking = Service("checking", accepts=[OrderTaken])
cutting = Service("cutting")
working = Service("working")
gathering = Service("gathering")
closing = Service("closing")


@checking.step
async def check(order: OrderTaken) -> OrderChecked:
    """Pass it on."""
    async with _mark("checking", order.number):
        return OrderChecked(key=order.key, number=order.number, parts=order.parts)


@cutting.step
async def cut(order: OrderChecked) -> list[PartCut]:
    """Fan out; the parts keep the order's key, so that their order can be judged too."""
    async with _mark("cutting", order.number):
        return [PartCut(key=order.key, number=order.number, part=part) for part in range(order.parts)]


@working.step
async def work(part: PartCut) -> PartWorked:
    """Pass it on."""
    async with _mark("working", part.number, part.part):
        return PartWorked(key=part.key, number=part.number, part=part.part)


@gathering.step
async def gather(parts: list[PartWorked]) -> OrderGathered:
    """Fan in."""
    first = parts[0]
    async with _mark("gathering", first.number):
        return OrderGathered(key=first.key, number=first.number, parts=[part.part for part in parts])


@closing.step
async def close(order: OrderGathered) -> OrderDone:
    """Pass it on."""
    async with _mark("closing", order.number):
        return OrderDone(key=order.key, number=order.number, parts=order.parts)


@asynccontextmanager
async def _mark(service: str, number: int, part: int = 0) -> AsyncIterator[None]:
    """Runs for a while, marked; the mark goes before the outcome can be committed."""
    mark = Path(os.environ[MARKS]) / f"{os.getpid()}~{service}~{number}~{part}"
    mark.touch()
    try:
        await asyncio.sleep(random.uniform(SHORTEST, LONGEST))
        yield
    finally:
        mark.unlink(missing_ok=True)
