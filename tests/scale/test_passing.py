"""What takes long, or is due tomorrow, does not hold up what comes later."""

import asyncio
from collections import Counter

import pytest

from farandole.events.codec import encode
from farandole.events.envelope import Envelope
from farandole.events.errors import RetryAfter
from farandole.events.event import Event
from farandole.log.record import NewRecord
from farandole.runtime.context import Context
from farandole.runtime.declare import Service
from farandole.testing import INVARIANTS, History, Rehearsal

pytestmark = pytest.mark.slow

LATER = 100_000
_BATCH = 5_000


class Arrived(Event, type="queue.arrived", key="name"):
    name: str


class Handled(Event, type="queue.handled", key="name", final=True):
    name: str


passing = Service("passing", accepts=[Arrived])


@passing.step(concurrency=2)
async def handle(arrived: Arrived, ctx: Context) -> Handled | None:
    if arrived.name == "long":
        await asyncio.sleep(3600)
    if arrived.name == "tomorrow" and ctx.attempt == 1:
        raise RetryAfter("24h", "the other side is closed")
    return Handled(name=arrived.name) if arrived.name in ("long", "tomorrow", "last") else None


def test_an_hour_and_a_day_let_a_hundred_thousand_later_deliveries_pass() -> None:
    """All of one partition; the position goes on, and two rows are all that is owed meanwhile."""
    with Rehearsal(passing, seed=None, partitions=1) as r:
        names = ["long", "tomorrow", *(f"n{number}" for number in range(LATER - 1)), "last"]
        for start in range(0, len(names), _BATCH):
            r.append(*(_record(name) for name in names[start : start + _BATCH]))
        r.advance("30m")
        history = r.history()
        assert _handled(history) == ["last"]
        assert history.committed["passing/handle"] == {("queue.arrived", 0): LATER + 2}
        owed = {
            row.key for row in history.records["passing.handle.state"] if row.value and row.key and row.key[:2] == b"d:"
        }
        assert owed == {b"d:0", b"d:1"}
        r.settle()
        history = r.history()
        assert _handled(history) == ["last", "long", "tomorrow"]
        assert Counter(told.fact.fact for told in history.told) == {"completed": LATER + 2, "retrying": 1}
        assert list(INVARIANTS["I13"](history)) == []


def _handled(history: History) -> list[str]:
    """In the order in which it was published; there is one partition."""
    found = history.events["queue.handled"]
    return [one.envelope.key or "" for one in found if one.envelope is not None]


def _record(name: str) -> NewRecord:
    data = Arrived(name=name).data()
    parts = encode(Envelope(f"id-{name}", "elsewhere", "queue.arrived", 1, data, key=name))
    return NewRecord("queue.arrived", parts.value, parts.key, parts.headers)
