"""A position means: every record below it is finished or has a row; and one commit holds all or nothing of it."""

import json
import random

import pytest

from farandole.events.event import Event
from farandole.events.facts import RECORD_LIMIT, read_facts
from farandole.events.topics import JOURNAL
from farandole.log.partitioner import journal_partition
from farandole.log.record import NewRecord, Record
from farandole.runtime.compose import COMMIT_BYTES, COMMIT_RECORDS, journal_records, take
from farandole.runtime.delivery import Delivery, State
from farandole.runtime.given import read_given
from farandole.runtime.outcome import Outcome
from farandole.runtime.retry import Retry
from farandole.runtime.rows import read_row
from libs.farandole.tests.unit.runtime.props import Room, declare, outputs


class Given(Event, type="compose.given", key="k"):
    k: str


class Done(Event, type="compose.done", key="k"):
    k: str


async def step(given: Given) -> Done:
    return Done(k=given.k)


def _room() -> Room:
    return Room(declare(step, retry=Retry(attempts=3, delay=10.0, jitter=0.0)))


def _arrive(room: Room, *keys: str) -> list[Delivery]:
    return [room.take(Given(k=key)) for key in keys]


def _complete(room: Room, *deliveries: Delivery) -> None:
    for delivery in deliveries:
        room.partition.complete(delivery, read_given(room.plan.step.signature, Done(k="x")), 1.0, 2.0)


def _fail(room: Room, delivery: Delivery) -> None:
    room.partition.fail(delivery, OSError("no"), 1.0, 2.0)


def _kinds(room: Room, rows: dict[str, bytes | None]) -> dict[str, str | None]:
    return {key: None if row is None else read_row(_row(room, row))["kind"] for key, row in rows.items()}


def _row(room: Room, row: bytes) -> Record:
    return room.record(Given(k="x"), topic="rows")._replace(value=row)


def test_what_ends_in_order_writes_no_row() -> None:
    """The fast path: outputs, facts, and the position."""
    room = _room()
    first, second, third = _arrive(room, "a", "b", "c")
    _complete(room, first, second)
    prepared = room.commit()
    assert prepared.rows == {}
    assert prepared.unit.positions == {"compose.given": 2}
    assert len(outputs(prepared, "compose.done")) == 2
    _complete(room, third)
    assert room.commit().unit.positions == {"compose.given": 3}


def test_what_is_overtaken_gets_a_row_and_the_position_goes_on() -> None:
    """Steps may finish in any order; nothing pins the log."""
    room = _room()
    first, second, third = _arrive(room, "a", "b", "c")
    _complete(room, third)
    prepared = room.commit()
    assert _kinds(room, prepared.rows) == {"d:0": "open", "d:1": "open"}
    assert prepared.unit.positions == {"compose.given": 3}
    _complete(room, first)
    assert _kinds(room, room.commit().rows) == {"d:0": None}
    _complete(room, second)
    assert _kinds(room, room.commit().rows) == {"d:1": None}
    assert room.partition.owed == {}


def test_what_runs_for_long_gets_a_row_once() -> None:
    """After that, nothing more is written of it until it ends."""
    room = _room()
    first, _ = _arrive(room, "a", "b")
    prepared = room.commit(age=0.0)
    assert _kinds(room, prepared.rows) == {"d:0": "open", "d:1": "open"}
    assert prepared.unit.positions == {"compose.given": 2}
    assert room.prepare(age=99.0).empty
    _complete(room, first)
    assert _kinds(room, room.commit().rows) == {"d:0": None}


def test_what_is_younger_than_the_age_keeps_its_place() -> None:
    """Only what is old is written down."""
    room = _room()
    _arrive(room, "a")
    room.crew.time = 10.0
    _arrive(room, "b")
    prepared = room.commit(age=5.0)
    assert _kinds(room, prepared.rows) == {"d:0": "open"}
    assert prepared.unit.positions == {"compose.given": 1}


def test_a_retry_has_a_row_with_its_due_time_and_its_lane_is_parked() -> None:
    """So the partition goes on, and whoever takes over waits as long."""
    room = _room()
    head, _, other = _arrive(room, "a", "a", "b")
    _fail(room, head)
    _complete(room, other)
    prepared = room.commit()
    assert _kinds(room, prepared.rows) == {"d:0": "retry", "d:1": "parked"}
    assert prepared.unit.positions == {"compose.given": 3}
    row = prepared.rows["d:0"]
    assert row is not None
    fields = read_row(_row(room, row))
    assert (fields["due"], fields["attempt"]) == (room.plan.clock.now() + 10.0, 2)
    assert room.crew.timers[0].delay == 10.0


def test_what_fails_and_ends_in_one_commit_leaves_no_row() -> None:
    """Only what stands in the end is written."""
    room = _room()
    (only,) = _arrive(room, "a")
    _fail(room, only)
    room.crew.timers[0].call()
    _complete(room, only)
    prepared = room.commit()
    assert (prepared.rows, prepared.unit.positions) == ({}, {"compose.given": 1})
    assert [fact.fact for record in outputs(prepared, JOURNAL) for fact in read_facts(record.value or b"")] == [
        "retrying",
        "completed",
    ]


def test_composing_changes_nothing() -> None:
    """A commit that fails is composed again, and is the same."""
    room = _room()
    first, second, third = _arrive(room, "a", "b", "c")
    _complete(room, third)
    _fail(room, second)
    outcomes = room.crew.taken()
    units = [room.prepare(outcomes).unit for _ in range(2)]
    assert units[0] == units[1]
    assert list(room.partition.inflight["compose.given"].values()) == [first, second, third]
    assert room.partition.owed == {}


def test_what_ends_after_composing_is_in_the_next_commit() -> None:
    """The commit under way settles only what it holds."""
    room = _room()
    first, second = _arrive(room, "a", "b")
    _complete(room, second)
    prepared = room.prepare()
    _complete(room, first)
    prepared.apply()
    assert first.row == "d:0"
    assert _kinds(room, room.commit().rows) == {"d:0": None}


def test_offsets_may_have_gaps() -> None:
    """A log keeps transaction markers among its records."""
    room = _room()
    for offset in (3, 7, 20):
        room.offsets["compose.given"] = offset - 1
        _arrive(room, f"k{offset}")
    first, second, third = room.partition.inflight["compose.given"].values()
    _complete(room, first)
    assert room.commit().unit.positions == {"compose.given": 7}
    _complete(room, second, third)
    assert room.commit().unit.positions == {"compose.given": 21}


@pytest.mark.parametrize("seed", range(30))
def test_below_the_position_all_is_finished_or_has_a_row(seed: int) -> None:
    """Whatever ends in whatever order, and however little of it each commit holds."""
    draw, room = random.Random(seed), _room()
    running, ended, rows, position = list[Delivery](), set[int](), dict[str, bytes | None](), 0
    for n in range(60):
        if draw.random() < 0.5:
            running += _arrive(room, f"k{n}")
        elif running:
            delivery = running.pop(draw.randrange(len(running)))
            (_complete if draw.random() < 0.7 else _fail)(room, delivery)
        held = room.crew.taken()
        cut = draw.randint(0, len(held))
        prepared = room.commit(held[:cut], age=float(draw.choice((-1.0, 0.0))))
        room.crew.outcomes = held[cut:]
        ended |= {outcome.delivery.offset for outcome in held[:cut] if outcome.settles}
        rows |= prepared.rows
        assert prepared.positions.get("compose.given", 0) >= position
        position = prepared.positions.get("compose.given", 0)
        owed = {int(key[2:]) for key, row in rows.items() if row is not None}
        assert not owed & ended
        assert owed | ended >= set(range(position))


def _outcome(room: Room, size: int, records: int = 1) -> Outcome:
    (delivery,) = _arrive(room, "k")
    return Outcome(delivery, "completed", records=[NewRecord("t", b"x" * size) for _ in range(records)])


def test_a_commit_is_bounded_in_bytes_and_records() -> None:
    """And a single outcome that is larger goes alone."""
    room = _room()
    small = [_outcome(room, 10) for _ in range(2 * COMMIT_RECORDS)]
    assert take(small) == COMMIT_RECORDS // 2  # a record and a fact each
    large = [_outcome(room, 1_000_000) for _ in range(10)]
    assert take(large) == COMMIT_BYTES // 1_000_512
    assert take([_outcome(room, 10, records=COMMIT_RECORDS * 2), *small]) == 1
    assert take([_outcome(room, 10), _outcome(room, COMMIT_BYTES)]) == 1
    assert take([]) == 0


def test_facts_of_a_commit_stand_in_order_in_few_records_below_256_kb() -> None:
    """Each workflow's facts in one partition; one larger fact goes alone."""
    room = _room()
    outcomes = []
    for n in range(400):
        (delivery,) = _arrive(room, "k")
        size = RECORD_LIMIT + 1 if n == 200 else 2000
        fact = {"fact": "completed", "workflow": f"w{n % 3}", "service": "s", "step": "x", "n": n, "pad": "x" * size}
        outcomes.append(Outcome(delivery, "completed", facts=[fact]))
    records = journal_records(room.plan, outcomes)
    told: dict[int, list[int]] = {0: [], 1: []}
    for record in records:
        assert record.partition is not None
        found = _numbers(record.value or b"")
        assert len(record.value or b"") <= RECORD_LIMIT or len(found) == 1
        told[record.partition] += found
    for partition, numbers in told.items():
        expected = [n for n in range(400) if journal_partition(f"w{n % 3}", 2) == partition]
        assert numbers == expected
    assert len(records) <= 2 * (400 * 2100 // RECORD_LIMIT) + 6


def _numbers(value: bytes) -> list[int]:
    return [fact["n"] for fact in json.loads(value)]


def test_a_lane_waits_while_its_head_is_parked_or_dead() -> None:
    """What arrives behind a dead letter is parked, and says behind whom."""
    room = _room()
    head, waiting = _arrive(room, "a", "a")
    head.attempt = 3
    _fail(room, head)
    late = _arrive(room, "a")[0]
    assert [one.state for one in (head, waiting, late)] == [State.DEAD, State.PARKED, State.PARKED]
    prepared = room.commit()
    assert _kinds(room, prepared.rows) == {"d:0": "dead", "d:1": "parked", "d:2": "parked"}
    facts = [fact for record in outputs(prepared, JOURNAL) for fact in read_facts(record.value or b"")]
    assert [(fact.fact, fact.behind) for fact in facts] == [
        ("dead", ""),
        ("parked", head.ids.delivery),
        ("parked", head.ids.delivery),
    ]
    assert len(outputs(prepared, "shop.dlq")) == 1
