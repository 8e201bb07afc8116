"""Whoever takes a partition over stands where the last commit left it: retries, lanes, groups, values, memory."""

import asyncio

import pytest

from farandole.events.errors import LogUnavailable
from farandole.events.event import Event
from farandole.log.record import Record
from farandole.runtime.context import Context
from farandole.runtime.declare import Service
from farandole.runtime.delivery import State
from farandole.runtime.outcome import Outcome
from farandole.runtime.restore import restore
from farandole.runtime.retry import Retry
from farandole.testing import Rehearsal, check
from libs.farandole.tests.unit.runtime.props import Room, declare, member


class Big(Event, type="restore.big", key="k"):
    k: str
    text: str


class Piece(Event, type="restore.piece", key="k"):
    k: str
    text: str


class Joined(Event, type="restore.joined", key="k", final=True):
    k: str
    sizes: list[int]


service = Service("restore", accepts=[Big])


@service.step(retry=Retry(attempts=3, delay="1m"))
def cut(big: Big, ctx: Context) -> list[Piece]:
    if ctx.attempt == 1:
        raise OSError("once")
    return [Piece(k=f"{big.k}{n}", text=big.text * n) for n in range(3)]


@service.step(retry=Retry(attempts=3, delay="1m"))
def join(pieces: list[Piece], ctx: Context) -> Joined:
    if ctx.attempt == 1:
        raise OSError("once")
    return Joined(k="j", sizes=[len(piece.text) for piece in pieces])


@pytest.mark.parametrize("size", [10, 40_000, 300_000])
def test_values_of_any_size_are_there_after_a_take_over(size: int) -> None:
    """Small ones in the row, large ones read again from their place; of a retry, and of a group's members."""
    with Rehearsal(service, seed=3) as r:
        r.publish(Big(k="b", text="x" * size))
        for _ in range(6):
            r.advance("25s")
            r.kill("restore")
            r.restart("restore")
        r.settle()
        assert r.events(Joined) == [Joined(k="j", sizes=[0, size, 2 * size])]
        assert check(r.history()) == []


def test_an_attempt_counts_once_its_end_is_told() -> None:
    """A crash does not spend attempts, and does not give them back."""
    with Rehearsal(service, seed=3) as r:
        r.publish(Big(k="b", text="x"))
        r.advance("1s")
        r.kill("restore")
        r.restart("restore")
        r.settle()
        told = [(fact.step, fact.fact, fact.attempt) for fact in r.facts() if fact.fact in ("retrying", "completed")]
        assert told == [
            ("cut", "retrying", 1),
            ("cut", "completed", 2),
            ("join", "retrying", 1),
            ("join", "completed", 2),
        ]


def test_missing_history_is_fatal_and_never_skipped() -> None:
    """A row that names a value which the log no longer has."""
    room = Room(declare(_nothing))
    delivery = room.take(Big(k="b", text="x" * 50_000))
    room.partition.fail(delivery, OSError("no"), 1.0, 2.0)
    rows = room.commit().rows
    records = [Record("s", 0, n, 0.0, key.encode(), row, ()) for n, (key, row) in enumerate(rows.items())]

    async def gone(*_: object) -> None:
        return None

    with pytest.raises(LogUnavailable, match=r"restore.big/0 no longer holds offset 0"):
        asyncio.run(restore(Room(declare(_nothing)).partition, records, gone))


def test_a_lane_stands_as_it_stood() -> None:
    """The dead letter blocks, those behind it wait, others go on; a retry waits for what is left of its time."""
    room = Room(declare(_nothing, retry=Retry(attempts=1)))
    dead, *_ = (room.take(Big(k=k, text="")) for k in ("a", "a", "b", "a"))
    room.crew.time = 1.0
    room.partition.fail(dead, OSError("no"), 1.0, 2.0)
    rows = room.commit(age=99.0).rows
    records = [Record("s", 0, n, 0.0, key.encode(), row, ()) for n, (key, row) in enumerate(rows.items())]

    async def unneeded(*_: object) -> None:
        raise AssertionError("every value is in its row")

    heir = Room(declare(_nothing, retry=Retry(attempts=1)))
    asyncio.run(restore(heir.partition, records, unneeded))
    states = {key: delivery.state for key, delivery in heir.partition.owed.items()}
    assert states == {"d:0": State.DEAD, "d:1": State.PARKED, "d:2": State.RUNNING, "d:3": State.PARKED}
    assert [delivery.offset for delivery in heir.crew.ready_ones] == [2]
    letter = heir.partition.owed["d:0"]
    heir.partition.discarded(letter, Outcome(letter, "discarded"))
    assert [delivery.offset for delivery in heir.crew.ready_ones] == [2, 1]


def test_a_late_comer_that_is_still_open_does_not_fire_its_group_again() -> None:
    """The group's own delivery waits for its retry; there is one of it, and nothing runs."""
    room = Room(declare(_gather, retry=Retry(attempts=3)))
    for index in range(2):
        room.take(Piece(k="p", text=""), id=f"p{index}", scope=member(index, 2))
    (group,) = room.crew.ready_ones
    room.partition.fail(group, OSError("no"), 1.0, 2.0)
    room.take(Piece(k="p", text=""), id="p1", scope=member(1, 2))
    *before, _ = room.crew.taken()
    rows = room.commit(before, age=99.0).rows
    assert rows["g:group"]
    assert rows["d:2"]
    records = [Record("s", 0, n, 0.0, key.encode(), row, ()) for n, (key, row) in enumerate(rows.items())]

    async def unneeded(*_: object) -> None:
        raise AssertionError("every value is in its row")

    heir = Room(declare(_gather, retry=Retry(attempts=3)))
    asyncio.run(restore(heir.partition, records, unneeded))
    assert heir.crew.ready_ones == []
    assert [delivery.state for key, delivery in heir.partition.owed.items() if key == "g:group"] == [State.RETRY]
    assert [told.ending for told in heir.crew.taken()] == ["held"]


def _nothing(big: Big) -> None: ...
def _gather(pieces: list[Piece]) -> None: ...
