"""Members held until their group is full; what comes later, and what a dead one leaves behind."""

from typing import Any

import pytest

from farandole.events.envelope import ABSENT
from farandole.events.event import Event
from farandole.events.facts import Fact, read_facts
from farandole.events.scope import Level
from farandole.events.topics import JOURNAL
from farandole.runtime.absence import Why
from farandole.runtime.delivery import Delivery, State
from farandole.runtime.given import read_given
from farandole.runtime.retry import Retry
from farandole.runtime.rows import CLOSED_FOR
from libs.farandole.tests.unit.runtime.props import Room, declare, member, outputs


class Piece(Event, type="holding.piece", key="k"):
    k: str


class Note(Event, type="holding.note", key="k"):
    k: str


class Whole(Event, type="holding.whole", key="k"):
    k: str


def _list(pieces: list[Piece]) -> Whole:
    return Whole(k="w")


def _join(piece: Piece, note: Note) -> Whole:
    return Whole(k="w")


OUTER = (Level("outer", 4, 9),)


def _absent(room: Room, *, pending: bool = False, **more: Any) -> Delivery:
    """An absence of a piece."""
    data = Why(pending=pending).data("holding.piece")
    return room.take(Piece(k="x"), type=ABSENT, data=data, **more)


def _facts(room: Room) -> list[Fact]:
    return [fact for record in outputs(room.commit(), JOURNAL) for fact in read_facts(record.value or b"")]


def test_a_full_group_takes_nothing_more_while_its_delivery_is_under_way() -> None:
    """Its ids follow from who is in it, so a late event must not slip in between two attempts."""
    room = Room(declare(_list, retry=Retry(attempts=3)))
    room.take(Piece(k="a"), id="a", scope=member(0, 2))
    _absent(room, id="b", scope=member(1, 2))
    (group,) = room.crew.ready_ones
    before = group.ids.delivery
    room.partition.fail(group, OSError("no"), 1.0, 2.0)
    room.take(Piece(k="b"), id="late", scope=member(1, 2))
    assert group.group is not None
    assert (group.group.count, group.group.derivation(room.plan.producer).delivery) == (1, before)
    late = _facts(room)[-1]
    assert (late.fact, late.reason) == ("held", "closed")


def test_what_comes_after_a_group_has_closed_is_held_and_changes_nothing() -> None:
    """For seven days; the row that knows it then goes."""
    room = Room(declare(_list))
    for index in range(2):
        room.take(Piece(k="a"), scope=member(index, 2))
    (group,) = room.crew.ready_ones
    room.partition.complete(group, read_given(room.plan.step.signature, Whole(k="w")), 1.0, 2.0)
    rows = room.commit().rows
    assert rows["c:group"] is not None
    assert not any(value for key, value in rows.items() if key != "c:group")
    room.take(Piece(k="b"), scope=member(1, 2))
    assert [(fact.fact, fact.reason) for fact in _facts(room)] == [("held", "closed")]
    assert len(room.crew.ready_ones) == 1
    clock = room.plan.clock
    clock.time += CLOSED_FOR + 1  # type: ignore[attr-defined]
    room.take(Piece(k="c"), scope=member(0, 2, "other"))
    assert room.commit().rows["c:group"] is None
    assert room.partition.holding.closed == {}


@pytest.mark.parametrize("pending_first", [True, False])
def test_a_join_in_a_group_tells_of_a_dead_side_once_and_under_one_id(pending_first: bool) -> None:
    """Whatever came before it; the outer group then waits, naming it."""
    room = Room(declare(_join))
    for pending in (pending_first, not pending_first):
        if pending:
            _absent(room, pending=True, id="p", scope=OUTER)
        else:
            room.take(Note(k="n"), id="n", scope=OUTER)
    prepared = room.commit()
    (absence,) = outputs(prepared, "holding.whole")
    ids = {name: value for name, value in absence.headers if name in ("ce_id", "ce_scope")}
    assert ids == {"ce_id": ids["ce_id"], "ce_scope": b"outer:4:9"}
    facts = [fact for record in outputs(prepared, JOURNAL) for fact in read_facts(record.value or b"")]
    told = [out["id"] for fact in facts for out in fact.outputs]
    assert told == [(ids["ce_id"] or b"").decode()]
    assert SEEN.setdefault("id", ids["ce_id"]) == ids["ce_id"]
    _absent(room, pending=True, id="q", scope=OUTER)
    assert outputs(room.commit(), "holding.whole") == []


SEEN: dict[str, bytes | None] = {}


def test_an_invalid_member_dies_and_leaves_its_slot_pending() -> None:
    """The group does not close; it names the slot in the fact of the death."""
    room = Room(declare(_list))
    room.take(Piece(k="a"), scope=member(0, 2))
    dead = room.take(Piece(k="b"), data=b"{}", scope=member(1, 2))
    assert (dead.state, room.crew.ready_ones) == (State.DEAD, [])
    fact = next(fact for fact in _facts(room) if fact.fact == "dead")
    assert fact.reason == "invalid"
    assert fact.fills is not None
    assert (fact.fills.index, fact.fills.pending) == (1, True)


@pytest.mark.parametrize(
    ("scope", "size"), [((), 2), (member(0, 3), 2)], ids=["in no group", "of another size than the others"]
)
def test_what_cannot_be_a_member_dies_alone(scope: object, size: int) -> None:
    """The group goes on without it."""
    room = Room(declare(_list))
    room.take(Piece(k="a"), id="a", scope=member(0, size))
    stray = room.take(Piece(k="x"), id="x", scope=scope)
    assert stray.state is State.DEAD
    room.take(Piece(k="b"), id="b", scope=member(1, size))
    assert len(room.crew.ready_ones) == 1
