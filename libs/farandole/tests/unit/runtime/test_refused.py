"""A commit that the log refuses for one record: the offender is dead-lettered, the rest commits, nothing runs again."""

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from farandole.engines.memory.topics import Topics
from farandole.events.codec import encode
from farandole.events.envelope import Envelope
from farandole.events.errors import RecordRefused
from farandole.events.event import Event
from farandole.log.record import NewRecord
from farandole.runtime.context import Context
from farandole.runtime.declare import Service
from farandole.runtime.delivery import State
from farandole.runtime.given import read_given
from farandole.runtime.outcome import Outcome
from farandole.runtime.retry import Retry
from farandole.testing import Rehearsal, check
from libs.farandole.tests.unit.runtime.props import Room, declare


class Asked(Event, type="refused.asked", key="lane"):
    lane: str
    n: int


class Answered(Event, type="refused.answered", key="lane", final=True):
    lane: str
    n: int


ran: Counter[int] = Counter()
service = Service("refusing", accepts=[Asked])


@service.step(retry=Retry(attempts=2, delay="1s"))
def answer(asked: Asked, ctx: Context) -> Answered:
    ran[asked.n] += 1
    if asked.n == 77 and ctx.attempt == 1:
        raise OSError("once")
    return Answered(lane=asked.lane, n=asked.n)


@contextmanager
def _refusing(*numbers: int) -> Iterator[None]:
    """The log refuses these answers, though the step could not know."""
    original = Topics._refusal
    bodies = {Answered(lane=lane, n=n).data() for n in numbers for lane in ("a", "b", "c")}

    def refusal(self: Topics, new: NewRecord) -> str | None:
        return (
            "it does not like this one"
            if new.topic == "refused.answered" and new.value in bodies
            else original(self, new)
        )

    ran.clear()
    with patch.object(Topics, "_refusal", refusal):
        yield


def _arrive(r: Rehearsal, *asked: Asked) -> None:
    """All at once, so that they end in one commit."""
    records = []
    for one in asked:
        parts = encode(Envelope(f"id-{one.n}", "outside", "refused.asked", 1, one.data(), key=one.lane))
        records.append(NewRecord("refused.asked", parts.value, parts.key, parts.headers))
    r.append(*records)


@pytest.mark.parametrize("offenders", [(0,), (13,), (39,), (3, 4), (0, 20, 39)])
def test_only_the_offender_dies_and_no_step_runs_twice(offenders: tuple[int, ...]) -> None:
    """Found by halving; what ended before and after it in other lanes is written as it was."""
    with Rehearsal(service, seed=None, partitions=1) as r, _refusing(*offenders):
        _arrive(r, *(Asked(lane="a" if n in offenders else f"{n}", n=n) for n in range(40)))
        r.settle()
        letters = r.dead_letters()
        assert {letter.reason for letter in letters} == {"refused"}
        answered = sorted(event.n for event in r.events(Answered))
        # What stands behind the first offender in its lane waits, for the order is kept.
        assert answered == [n for n in range(40) if n not in offenders]
        assert len(letters) == 1
        assert all(ran[n] == 1 for n in answered)


def test_what_ended_behind_the_offender_in_its_lane_is_undone_and_waits() -> None:
    """Even where it was in the same commit: order is kept, and nothing of it was visible."""
    with Rehearsal(service, seed=None, partitions=1) as r, _refusing(1):
        _arrive(r, *(Asked(lane=lane, n=n) for n, lane in enumerate(["a", "a", "a", "b", "a", "b"])))
        r.settle()
        assert [event.n for event in r.events(Answered)] == [0, 3, 5]
        kinds = [fact.fact for fact in r.facts() if fact.event and fact.event.id in ("id-2", "id-4")]
        assert kinds == ["parked", "parked"]
        r.discard()
        r.settle()
        assert [event.n for event in r.events(Answered)] == [0, 3, 5, 2, 4]
        assert check(r.history()) == []


def test_a_retry_behind_the_offender_is_undone_and_keeps_its_attempts() -> None:
    """An attempt that never was told of was none."""
    with Rehearsal(service, seed=None, partitions=1) as r, _refusing(1):
        _arrive(r, *(Asked(lane="a", n=n) for n in (1, 77, 2)))
        r.settle()
        assert r.events(Answered) == []
        (letter,) = r.dead_letters()
        r.discard(letter)
        r.settle()
        assert [event.n for event in r.events(Answered)] == [77, 2]
        attempts = [(fact.fact, fact.attempt) for fact in r.facts() if fact.event and fact.event.id == "id-77"]
        assert attempts == [("parked", 1), ("retrying", 1), ("completed", 2)]
        assert check(r.history()) == []


def test_the_offender_is_redriven_once_the_log_likes_it() -> None:
    """It dies like any other, with its reason."""
    with Rehearsal(service, seed=None, partitions=1) as r:
        with _refusing(5):
            r.publish(Asked(lane="a", n=5))
            r.publish(Asked(lane="a", n=6))
            r.settle()
            assert "does not like" in r.dead_letters()[0].error
        r.redrive()
        r.settle()
        assert [event.n for event in r.events(Answered)] == [5, 6]
        assert check(r.history()) == []


def test_an_attempt_that_ends_after_it_was_undone_counts_once() -> None:
    """It ran behind an offender, was parked, and ran again beside itself: one outcome, and its lane goes on."""
    room = Room(declare(_answer))
    first, second, third = (room.take(Asked(lane="a", n=n)) for n in range(3))
    given = read_given(room.plan.step.signature, Answered(lane="a", n=0))
    room.partition.complete(first, given, 1.0, 2.0)
    (outcome,) = room.crew.taken()
    assert room.crew.ready_ones == [first, second]
    room.partition.refuse(outcome, RecordRefused("no"), deque())
    assert [one.state for one in (first, second, third)] == [State.DEAD, State.PARKED, State.PARKED]
    room.partition.complete(second, given, 1.0, 2.0)  # the attempt that ran meanwhile
    assert second.state is State.PARKED
    room.partition.discarded(first, Outcome(first, "discarded"))
    assert room.crew.ready_ones == [first, second, second]
    room.crew.taken()
    for _ in range(2):  # both attempts of it end
        room.partition.complete(second, given, 1.0, 2.0)
    assert [told.delivery for told in room.crew.taken()] == [second]
    assert room.crew.ready_ones == [first, second, second, third]


def _answer(asked: Asked) -> Answered:
    return Answered(lane=asked.lane, n=asked.n)
