"""What a bystander sees of a log, and how long a case waits for what it must see; nothing here joins a group."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

from farandole.log.ports import Log
from farandole.log.record import NewRecord, Record, TopicPartition
from farandole.testing.contract.checks import expect
from farandole.testing.contract.rig import Rig

T = TypeVar("T")

QUIET = 0.2
"""Seconds in which nothing comes, where nothing may come."""
_LOOKS = 50  # of a reader, each as long


def patience(rig: Rig) -> float:
    """Seconds until anything that must happen has happened, a take-over and a slow machine included."""
    return 2 * rig.lease_seconds + 10


def numbered(topic: str, count: int, *, first: int = 0, key: bytes | None = None) -> list[NewRecord]:
    """Records with the values b"0", b"1", …; of one key, or else each of its own."""
    return [NewRecord(topic, b"%d" % n, key or b"%d" % n) for n in range(first, first + count)]


async def records_of(log: Log, *topics: str) -> list[Record]:
    """What is committed by now, by partition and offset. Raises AssertionError where it can't be read to its end."""
    ends = await log.spans(topics)
    reader = await log.reader(topics)
    found, looks, behind = list[Record](), 0, True
    while behind and looks < _LOOKS:
        found += await reader.poll(timeout=QUIET)
        positions, looks = reader.positions(), looks + 1
        behind = any(positions.get(place, 0) < span.end for place, span in ends.items())
    expect(not behind, f"a reader stands at {reader.positions()} for long, and not at the ends {ends}")
    await reader.close()
    return sorted(found, key=lambda record: record.place)


async def values_of(log: Log, *topics: str) -> list[bytes | None]:
    """The values of what is committed by now, by partition and offset."""
    return [record.value for record in await records_of(log, *topics)]


async def count_of(log: Log, topic: str) -> int:
    """How many records a topic holds; an offset may be of none."""
    return len(await records_of(log, topic))


async def behind_last(log: Log, topic: str) -> dict[TopicPartition, int]:
    """The position behind the last record of each partition that has one."""
    return {(record.topic, record.partition): record.offset + 1 for record in await records_of(log, topic)}


async def eventually(rig: Rig, look: Callable[[], Awaitable[object]], what: str) -> None:
    """Look again and again until it is so. Raises AssertionError when patience ends."""
    deadline = now() + patience(rig)
    while not await look():
        expect(now() < deadline, f"did not come in {patience(rig)} s: {what}")
        await rig.sleep(0.05)


class Attempt(NamedTuple):
    """How a call of a handle that may die ended."""

    returned: bool
    result: object


async def attempt(rig: Rig, call: Awaitable[object]) -> Attempt:
    """Make a call that may raise, or never return, because its handle dies."""
    task = asyncio.ensure_future(call)
    await asyncio.wait([task], timeout=patience(rig))
    if not task.done():
        task.cancel()
        return Attempt(False, None)
    failed = task.cancelled() or task.exception() is not None
    return Attempt(not failed, None if failed else task.result())


def now() -> float:
    """Seconds on the event loop's clock, for measuring how long something took."""
    return asyncio.get_running_loop().time()
