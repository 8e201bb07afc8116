"""Which slot a member fills, when a group is full, and what is missing."""

import random

import pytest

from farandole.events.envelope import Envelope
from farandole.events.event import Event
from farandole.events.scope import Level, Scope
from farandole.runtime.bind import Signature
from farandole.runtime.gather import Group, Kind, Member, Slot, member_of, new_group
from libs.farandole.tests.unit.runtime.props import declare, member


class Piece(Event, type="gather.piece", key="k"):
    k: str


class Note(Event, type="gather.note", key="k"):
    k: str


def _list(pieces: list[Piece]) -> None: ...
def _join(piece: Piece, note: Note) -> None: ...
def _both(pieces: list[Piece], note: Note) -> None: ...


LIST, JOIN, BOTH = (declare(fn, name=name).signature for fn, name in ((_list, "l"), (_join, "j"), (_both, "b")))


def _envelope(n: int, scope: Scope = (), kind: str = "gather.piece") -> Envelope:
    return Envelope(f"id-{n}", "in/step", kind, 1, b"{}", "k", "w", scope=scope)


def _fill(
    group: Group | None, signature: Signature, envelope: Envelope, kind: Kind, depth: int = 0
) -> tuple[Group, str]:
    param = 1 if envelope.type == "gather.note" else 0
    found = member_of(signature, param, envelope, depth)
    assert found is not None
    group = group or new_group(signature, found, envelope, None)
    return group, group.settle(found, kind, Slot(kind, envelope, ("t", 0, 0)))


@pytest.mark.parametrize("seed", range(20))
def test_a_group_is_full_with_its_last_member_in_whatever_order(seed: int) -> None:
    """And gives its members by index."""
    order = list(range(7))
    random.Random(seed).shuffle(order)
    group: Group | None = None
    for count, index in enumerate(order, 1):
        group, result = _fill(group, LIST, _envelope(index, member(index, 7)), "event")
        assert result == "new"
        assert group.full == (count == 7)
    assert group is not None
    assert [slot.envelope.id for slot in group.sides[0].events()] == [f"id-{n}" for n in range(7)]
    assert group.scope == ()


def test_ids_follow_from_who_is_in_it_not_from_when_they_came() -> None:
    """So a group that is gathered again owes the same delivery."""
    groups: list[Group] = []
    for order in ((0, 1, 2), (2, 0, 1)):
        group: Group | None = None
        for index in order:
            group, _ = _fill(group, LIST, _envelope(index, member(index, 3)), "event")
        assert group is not None
        groups.append(group)
    assert groups[0].derivation("s/x").delivery == groups[1].derivation("s/x").delivery
    assert groups[0].digest() == groups[1].digest()
    group, _ = _fill(None, LIST, _envelope(0, member(0, 3)), "event")
    assert group.digest() != groups[0].digest()


def test_a_pending_absence_fills_but_never_closes() -> None:
    """The group waits, naming it, until an event or a plain absence takes its place."""
    for end in ("event", "absent"):
        group, _ = _fill(None, LIST, _envelope(0, member(0, 2)), "event")
        _, result = _fill(group, LIST, _envelope(1, member(1, 2)), "pending")
        assert (result, group.full, group.absent()) == ("new", False, [1])
        _, result = _fill(group, LIST, _envelope(2, member(1, 2)), end)
        assert (result, group.full) == ("new", True)
        assert group.absent() == ([] if end == "event" else [1])


def test_an_absence_closes_and_is_listed() -> None:
    """What is missing never passes for success."""
    group, _ = _fill(None, LIST, _envelope(0, member(0, 2)), "absent")
    _fill(group, LIST, _envelope(1, member(1, 2)), "event")
    assert (group.full, group.count, group.absent()) == (True, 1, [0])


@pytest.mark.parametrize("first", ["event", "absent", "pending"])
@pytest.mark.parametrize("second", ["event", "absent", "pending"])
def test_an_event_takes_an_absences_place_and_never_the_reverse(first: Kind, second: Kind) -> None:
    """The heavier of two stands, whichever came first."""
    weight = ["pending", "absent", "event"]
    group, _ = _fill(None, LIST, _envelope(0, member(0, 2)), first)
    _, result = _fill(group, LIST, _envelope(0, member(0, 2)), second)
    stands = max(first, second, key=weight.index)
    assert group.sides[0].slots[0].kind == stands
    assert (result == "same") == (weight.index(second) <= weight.index(first))
    assert group.sides[0].firm == (stands != "pending")


def test_two_different_events_in_one_slot_are_a_conflict() -> None:
    """As are members that disagree about the size; the first one stands."""
    group, _ = _fill(None, LIST, _envelope(0, member(0, 2)), "event")
    assert _fill(group, LIST, _envelope(9, member(0, 2)), "event")[1] == "conflict"
    assert _fill(group, LIST, _envelope(1, member(1, 3)), "event")[1] == "conflict"
    assert group.sides[0].slots[0].envelope.id == "id-0"


def test_an_empty_fan_out_is_full_at_once() -> None:
    """Its absence has the scope group:0:0."""
    group, _ = _fill(None, LIST, _envelope(0, member(0, 0)), "absent")
    assert (group.full, group.count, group.absent(), group.lacks_side) == (True, 0, [], False)


def test_a_join_takes_one_of_each_of_the_same_workflow_and_group() -> None:
    """Its key follows from both; its scope is the members'."""
    inside: Scope = (Level("outer", 3, 9),)
    group, _ = _fill(None, JOIN, _envelope(0, inside), "event")
    assert not group.full
    _fill(group, JOIN, _envelope(1, inside, "gather.note"), "event")
    assert (group.full, group.lacks_side, group.scope) == (True, False, inside)
    keys = {
        member_of(JOIN, 0, envelope).key  # type: ignore[union-attr]
        for envelope in (
            _envelope(0, inside),
            _envelope(0, (Level("outer", 4, 9),)),
            _envelope(0),
            _envelope(0)._replace(workflow="other"),
            _envelope(0)._replace(generation=1),
        )
    }
    assert len(keys) == 5


def test_a_join_that_lacks_a_side_is_full_and_says_so() -> None:
    """No user code is called for it."""
    group, _ = _fill(None, JOIN, _envelope(0), "absent")
    _fill(group, JOIN, _envelope(1, (), "gather.note"), "event")
    assert (group.full, group.lacks_side) == (True, True)


def test_a_list_in_a_join_is_gathered_and_may_be_missing_as_a_whole() -> None:
    """A fan-out that never happened lacks one level more."""
    outer: Scope = (Level("outer", 0, 2),)
    group, _ = _fill(None, BOTH, _envelope(0, member(0, 2, outer=outer)), "event")
    _fill(group, BOTH, _envelope(1, member(1, 2, outer=outer)), "event")
    assert not group.full
    _fill(group, BOTH, _envelope(2, outer, "gather.note"), "event")
    assert (group.full, group.lacks_side, group.scope) == (True, False, outer)
    group, _ = _fill(None, BOTH, _envelope(0, outer), "absent", depth=1)
    _fill(group, BOTH, _envelope(2, outer, "gather.note"), "event")
    assert (group.full, group.lacks_side) == (True, True)


def test_what_stands_in_no_group_cannot_be_gathered() -> None:
    """A list takes the members of a fan-out."""
    assert member_of(LIST, 0, _envelope(0)) is None
    assert member_of(JOIN, 0, _envelope(0)) == Member(*member_of(JOIN, 0, _envelope(0)))  # type: ignore[misc]
