"""Deliveries that do not simply end: retries, dead letters, what is parked, redriven, discarded, or in conflict."""

import pytest

from farandole.fold import Fold
from libs.farandole.tests.unit.fold.dance import Dance, Given, Retry, Terminal
from libs.farandole.tests.unit.fold.declared import fan, one, service, step, take
from libs.farandole.tests.unit.fold.model import Owed
from libs.farandole.tests.unit.fold.script import FLOW, delivery, fact, fold_of, given, kinds, read, state

SINK = service("s", step("a", take("x", "a"), gives=(one("b"),)), accepts=("a",), final=("b",))
FAN = (
    service("one", step("cut", take("x", "a"), gives=(fan("b"),)), accepts=("a",)),
    service("two", step("work", take("x", "b"), gives=(one("c"),)), step("wash", take("x", "c"), gives=(one("d"),))),
    service("three", step("all", take("xs", "d", many=True), gives=(one("e"),)), final=("e",)),
)
ERROR = {"kind": "ValueError", "text": "no"}


def _second_dies(delivery: Owed, attempt: int) -> Given:
    assert delivery.event is not None
    if delivery.event.scope[-1].index == 1 and attempt == 1:
        raise Terminal("broken")
    return ["c"]


@pytest.fixture
def dance() -> Dance:
    """A fan-out of three, of which the second member dies at its first attempt."""
    found = Dance(*FAN, members=3, behave={"two/work": _second_dies})
    found.publish("a", "e1")
    found.settle()
    return found


def _flow(dance: Dance) -> str:
    return next(iter(dance.facts))


def test_a_retry_is_due_and_moves() -> None:
    """It says when it is due, after which attempt, and why."""
    fold = fold_of(SINK)
    fold.apply_facts(read(fact("retrying", "s/a", "e1", attempt=1, due=90.0, error=ERROR, finished=30.0)), 31.0)
    found = state(fold)
    (left,) = found.left
    assert (found.status, left.kind, left.due, left.attempt) == ("running", "retrying", 90.0, 1)
    assert (left.error, left.since, left.delivery) == ("ValueError: no", 30.0, delivery("s/a", "e1"))


def test_attempts_and_their_times_are_counted_once_each() -> None:
    """Three attempts, whatever came twice; what never ran takes no time."""
    fold = fold_of(SINK)
    for attempt, seconds in ((1, 2.0), (2, 5.0)):
        told = fact("retrying", "s/a", "e1", attempt=attempt, started=10.0, finished=10.0 + seconds, due=99.0)
        fold.apply_facts(read(told, told), 20.0)
    last = fact("completed", "s/a", "e1", attempt=3, started=50.0, finished=51.0)
    fold.apply_facts(read(last, last, fact("discarded", "s/a", "e2")), 60.0)
    fold.apply_facts(read(fact("held", "s/a", "e3", started=1.0, finished=9.0)), 60.0)
    count = state(fold).summary.steps["s/a"]
    assert (count.attempts, count.seconds, count.longest) == (3, 8.0, 5.0)
    assert (count.completed, count.discarded, count.retrying) == (1, 1, 0)


def test_a_dead_letter_outside_of_groups_leaves_the_workflow_dead() -> None:
    """Nothing moves; the letter is named with its reason."""
    fold = fold_of(SINK)
    fold.apply_facts(read(fact("dead", "s/a", "e1", attempt=3, reason="exhausted", error=ERROR)), 5.0)
    found = state(fold)
    assert (found.status, found.moves, kinds(found)) == ("dead", False, [("dead", "s/a")])
    assert (found.left[0].reason, found.left[0].service, found.left[0].since) == ("exhausted", "s", 5.0)
    assert not found.left[0].moves


def test_a_dead_letter_in_a_group_fills_its_slot_but_closes_nothing(dance: Dance) -> None:
    """The group waits, and names the member that is missing and where it ended."""
    found = state(dance.fold(), _flow(dance))
    assert (found.status, kinds(found)) == ("dead", [("dead", "two/work"), ("group", "three/all")])
    letter, group = found.left
    assert (group.present, group.missing, [m.index for m in group.members]) == (2, 1, [1])
    (member,) = group.members
    assert (member.param, member.pending) == ("xs", True)
    assert [(e.kind, e.step, e.type, e.id) for e in member.ends] == [("dead", "two/work", "b.v1", letter.id)]
    assert [e.pending for e in found.events if e.absent] == [True, True]


def test_a_redriven_member_takes_the_place_of_its_pending_absence(dance: Dance) -> None:
    """Owed again at once; complete when the event came through."""
    dance.redrive(dance.dead[0])
    found = state(dance.fold(), _flow(dance))
    assert (found.status, kinds(found)) == ("running", [("owed", "two/work"), ("group", "three/all")])
    assert [e.kind for e in found.left[1].members[0].ends] == ["owed"]
    dance.settle()
    found = state(dance.fold(), _flow(dance))
    assert (found.status, found.left) == ("complete", ())
    assert found.summary.steps["three/all"].held == 4
    assert found.summary.steps["two/work"].dead == 0


def test_a_discarded_member_is_absent_and_the_group_closes_without_it(dance: Dance) -> None:
    """The plain absence that the discard publishes settles the slot."""
    dance.discard(dance.dead[0])
    assert state(dance.fold(), _flow(dance)).status == "running"
    dance.settle()
    found = state(dance.fold(), _flow(dance))
    assert (found.status, found.summary.steps["two/work"].discarded) == ("complete", 1)
    assert [entry["group"]["absent"] for entry in dance.facts[_flow(dance)] if "group" in entry] == [[1]]


def test_a_dead_group_is_one_dead_letter_that_names_its_group() -> None:
    """The closed group's own delivery died; its members are settled."""

    def merge(_: Owed, attempt: int) -> Given:
        if attempt < 3:
            raise Retry("again")
        raise Terminal("never")

    dance = Dance(*FAN, members=2, behave={"three/all": merge})
    workflow = dance.publish("a", "e1")
    dance.settle()
    (left,) = state(dance.fold(), workflow).left
    assert (left.kind, left.step, left.attempt, left.present) == ("dead", "three/all", 3, 2)
    assert (left.delivery, left.group) == (dance.dead[0].ids().delivery, dance.dead[0].group.key)  # type: ignore[union-attr]  # it is a group's
    dance.behave.clear()
    dance.redrive(dance.dead[0])
    assert kinds(state(dance.fold(), workflow)) == [("owed", "three/all")]
    dance.settle()
    assert state(dance.fold(), workflow).status == "complete"


def test_a_parked_delivery_moves_only_while_what_it_stands_behind_is_not_dead() -> None:
    """The dead letter may be of another workflow, and its facts may be read earlier or later."""
    fold, other = fold_of(SINK), "e" * 32
    blocker = delivery("s/a", "first")
    fold.apply_facts(read(fact("parked", "s/a", "second", behind=blocker)), 2.0)
    assert state(fold).status == "running"
    dead = fact("dead", "s/a", "first", attempt=1, workflow=other)
    fold.apply_facts(read(dead), 3.0)
    found = state(fold)
    assert (found.status, found.left[0].kind, found.left[0].behind) == ("dead", "parked", blocker)
    fold.apply_facts(read(dead | {"fact": "redriven"}), 4.0)
    assert state(fold).status == "running"
    fold.apply_facts(read(dead | {"attempt": 2}), 5.0)
    assert (state(fold).status, state(fold, other).status) == ("dead", "dead")
    fold.apply_facts(read(dead | {"fact": "discarded", "attempt": 2}), 6.0)
    assert (state(fold).status, state(fold, other).status) == ("running", "complete")
    done = fact("completed", "s/a", "second", outputs=[{"slot": 0, "type": "b.v1", "id": "b1", "key": None}])
    fold.apply_facts(read(done), 7.0)
    assert state(fold).status == "complete"


def test_a_parked_delivery_may_come_to_stand_behind_another_dead_letter() -> None:
    """The first one was discarded, and the next of the lane died too."""
    fold = fold_of(SINK)
    for blocker, other in (("first", "d" * 32), ("next", "e" * 32)):
        fold.apply_facts(read(fact("dead", "s/a", blocker, workflow=other)), 1.0)
        fold.apply_facts(read(fact("parked", "s/a", "second", behind=delivery("s/a", blocker))), 2.0)
        assert (state(fold).status, state(fold).left[0].behind) == ("dead", delivery("s/a", blocker))
        fold.apply_facts(read(fact("discarded", "s/a", blocker, workflow=other)), 3.0)
        assert state(fold).status == "running"


def test_an_event_keeps_its_slot_whatever_absence_comes_later() -> None:
    """And an absence keeps it against that of a dead letter: what is settled stays settled."""
    fold = fold_of(service("s", step("all", take("xs", "a", many=True)), accepts=("a",)))
    slot = {"group": "g", "param": 0, "size": 3}
    absent, pending = {"absent": True}, {"absent": True, "pending": True}
    for n, (index, kind) in enumerate([(0, {}), (0, pending), (0, absent), (1, absent), (1, pending)]):
        fold.apply_facts(read(fact("held", "s/all", f"e{n}", fills=slot | {"index": index} | kind)), 1.0)
    (group,) = state(fold).left
    assert (group.present, [m.index for m in group.members]) == (2, [2])
    fold.apply_facts(read(fact("held", "s/all", "e9", fills=slot | {"index": 2})), 1.0)
    assert kinds(state(fold)) == [("owed", "s/all")]


def test_a_fact_that_comes_again_changes_nothing() -> None:
    """Dead, redriven, dead again, redriven: whatever is repeated later, the latest stands."""
    fold = fold_of(SINK)
    told = [
        fact("retrying", "s/a", "e1", attempt=1, due=9.0),
        fact("dead", "s/a", "e1", attempt=2, reason="exhausted"),
        fact("redriven", "s/a", "e1", attempt=2),
        fact("dead", "s/a", "e1", attempt=3, reason="terminal"),
        fact("redriven", "s/a", "e1", attempt=3),
    ]
    expected = ["retrying", "dead", "owed", "dead", "owed"]
    for n, kind in enumerate(expected):
        for again in told[: n + 1]:
            fold.apply_facts(read(again), 5.0)
        assert kinds(state(fold)) == [(kind, "s/a")]
        fold.apply_facts(read(*told[:n], *reversed(told[: n + 1])), 5.0)
        assert kinds(state(fold)) == [(kind, "s/a")]
    fold.apply_facts(read(fact("completed", "s/a", "e1", attempt=4), *told), 6.0)
    assert state(fold).status == "complete"


def test_an_outcome_that_is_not_owed_still_counts() -> None:
    """A step that no manifest names retries, dies and completes all the same."""
    fold = Fold()
    fold.apply_facts(read(fact("retrying", "x/y", "e1", due=3.0)), 2.0)
    found = state(fold)
    assert (found.status, kinds(found)) == ("waiting", [("retrying", "x/y")])
    assert not found.left[0].moves
    fold.apply_facts(read(fact("completed", "x/y", "e1", attempt=2)), 2.0)
    assert state(fold).status == "complete"


def test_a_record_that_cannot_be_decoded_is_owed_an_outcome_by_every_taker_of_its_topic() -> None:
    """Its workflow is its own; each dead-letters it, and each letter can be discarded."""
    both = service("s", step("a", take("x", "a")), step("b", take("x", "a")), accepts=("a",))
    fold = fold_of(both)
    stray = {"source": "log:a/0", "type": ""}
    fold.apply_facts(read(fact("dead", "s/a", "7", reason="undecodable", topic="a", offset=7, **stray)), 2.0)
    found = state(fold)
    assert (found.status, kinds(found)) == ("running", [("owed", "s/b"), ("dead", "s/a")])
    fold.apply_facts(read(fact("dead", "s/b", "7", reason="undecodable", topic="a", offset=7, **stray)), 2.0)
    assert state(fold).status == "dead"
    for step_name in ("s/a", "s/b"):
        fold.apply_facts(read(fact("discarded", step_name, "7", topic="a", **stray)), 3.0)
    assert state(fold).status == "complete"
    assert not state(fold).summary.truncated


def test_an_event_in_the_wrong_topic_is_owed_by_the_takers_of_that_topic() -> None:
    """They dead-letter it; the takers of its type never see it."""
    fold = fold_of(SINK, service("t", step("z", take("x", "z")), accepts=("z",)))
    fold.apply_input(given("e1", type_name="z"), ("a", 0, 0), 1.0)
    assert kinds(state(fold)) == [("owed", "s/a")]
    fold.apply_facts(read(fact("dead", "s/a", "e1", type="z.v1", topic="a", reason="undecodable")), 2.0)
    assert kinds(state(fold)) == [("dead", "s/a")]


@pytest.mark.parametrize("first", ["accepted", "conflict"])
def test_a_second_record_under_the_same_id_is_a_delivery_of_its_own(first: str) -> None:
    """Its dead letter stands beside the accepted one's outcome, whichever is read first, and can be discarded."""
    fold = fold_of(SINK)
    fold.apply_input(given("e1"), ("a", 0, 0), 1.0)
    fold.apply_input(given("e1"), ("a", 0, 5), 2.0)
    done = fact("completed", "s/a", "e1", offset=0, attempt=1)
    dead = fact("dead", "s/a", "e1", offset=5, attempt=1, reason="id-conflict")
    fold.apply_facts(read(*((done, dead) if first == "accepted" else (dead, done))), 3.0)
    found = state(fold)
    assert (found.status, kinds(found), len(found.events)) == ("dead", [("dead", "s/a")], 1)
    fold.apply_facts(read(fact("redriven", "s/a", "e1", offset=5, attempt=1)), 4.0)
    assert kinds(state(fold)) == [("owed", "s/a")]
    fold.apply_facts(read(fact("dead", "s/a", "e1", offset=5, attempt=2, reason="terminal")), 4.0)
    fold.apply_facts(read(fact("discarded", "s/a", "e1", offset=5, attempt=2)), 4.0)
    found = state(fold)
    assert (found.status, found.summary.steps["s/a"].completed) == ("complete", 1)


def test_a_later_generation_is_a_delivery_of_its_own() -> None:
    """A re-run of the same event at the same step counts beside the first run."""
    fold = fold_of(SINK)
    fold.apply_facts(read(fact("completed", "s/a", "e1")), 1.0)
    fold.apply_facts(read(fact("retrying", "s/a", "e1", generation=1, due=9.0)), 2.0)
    assert kinds(state(fold)) == [("retrying", "s/a")]
    fold.apply_facts(read(fact("completed", "s/a", "e1", generation=1, attempt=2)), 3.0)
    found = state(fold)
    assert (found.status, found.summary.steps["s/a"].completed) == ("complete", 2)


def test_kinds_of_a_later_version_are_skipped() -> None:
    """Unknown facts, unknown outputs and unknown fields change nothing."""
    fold = fold_of(SINK)
    done = fact("completed", "s/a", "e1", outputs=[{"slot": 0, "magic": 1}], colour="blue")
    hints = [fact("progress", "s/a", "e1"), {"fact": "nonsense"}]
    fold.apply_facts(read(*hints, done), 1.0)
    found = state(fold)
    assert (found.status, len(found.events)) == ("complete", 1)


def test_a_fact_of_neither_event_nor_group_is_counted_and_changes_nothing() -> None:
    """It has no place; nothing is swallowed silently."""
    fold = fold_of(SINK)
    placeless = {"fact": "cancelled", "workflow": FLOW, "service": "s", "step": "a"}
    fold.apply_facts(read(placeless), 1.0)
    assert (fold.unplaced, fold.workflow(FLOW)) == (1, None)


def test_a_cancelled_delivery_has_ended() -> None:
    """It is neither owed nor dead."""
    fold = fold_of(SINK)
    fold.apply_input(given("e1"), ("a", 0, 0), 1.0)
    fold.apply_facts(read(fact("cancelled", "s/a", "e1")), 1.0)
    assert state(fold).status == "complete"


def test_a_member_that_comes_after_its_group_closed_fills_nothing() -> None:
    """It is settled, and opens no second group."""
    fold = fold_of(SINK)
    fills = {"group": "g", "param": 0, "index": 4, "size": 0}
    fold.apply_facts(read(fact("held", "s/a", "e1", reason="closed", fills=fills)), 1.0)
    fold.apply_facts(read(fact("held", "s/a", "e2", fills=fills | {"size": 5, "forwarded": True})), 1.0)
    found = state(fold)
    assert (found.status, found.summary.steps["s/a"].held) == ("complete", 2)


def test_a_dead_letter_that_names_its_slot_is_pending_there_until_it_is_discarded() -> None:
    """A member that the fan-in itself cannot read: its discard settles the slot."""
    fold = fold_of(service("s", step("all", take("xs", "a", many=True)), accepts=("a",)))
    fills = {"group": "g", "param": 0, "size": 2}
    fold.apply_facts(read(fact("held", "s/all", "e0", fills=fills | {"index": 0})), 1.0)
    bad = fact("dead", "s/all", "e1", reason="invalid", fills=fills | {"index": 1, "absent": True, "pending": True})
    fold.apply_facts(read(bad), 2.0)
    found = state(fold)
    assert (found.status, kinds(found)) == ("dead", [("dead", "s/all"), ("group", "s/all")])
    assert [(m.index, m.pending) for m in found.left[1].members] == [(1, True)]
    gone = fact("discarded", "s/all", "e1", fills=fills | {"index": 1, "absent": True})
    fold.apply_facts(read(gone), 3.0)
    assert kinds(state(fold)) == [("owed", "s/all")]


def test_a_side_that_is_missing_as_a_whole_closes_the_join() -> None:
    """`whole`: an absence that lacks the list's level stands for the whole list."""
    fold = fold_of(service("s", step("both", take("b", "b"), take("cs", "c", many=True))))
    slot = {"group": "g", "sides": 2, "index": 0, "size": 1}
    fold.apply_facts(read(fact("held", "s/both", "e0", type="b.v1", fills=slot | {"param": 0})), 1.0)
    assert [kind for kind, _ in kinds(state(fold))] == ["group"]
    pending = {"param": 1, "absent": True, "pending": True, "whole": True}
    fold.apply_facts(read(fact("held", "s/both", "e1", type="c.v1", fills=slot | pending)), 1.0)
    assert [kind for kind, _ in kinds(state(fold))] == ["group"]
    fold.apply_facts(read(fact("held", "s/both", "e2", type="c.v1", fills=slot | pending | {"pending": False})), 1.0)
    assert kinds(state(fold)) == [("owed", "s/both")]


def test_a_join_that_tells_of_a_missing_side_says_it_where_the_join_stands() -> None:
    """A held fact may publish a pending absence; it has the scope of what the join gives, not the member's."""
    fold = fold_of(SINK)
    spread = {"slot": 0, "group": "outer", "count": 2, "types": ["b.v1"], "keys": [None, None]}
    fold.apply_facts(read(fact("completed", "s/a", "e1", outputs=[spread])), 1.0)
    part = next(e for e in state(fold).events if e.scope == "outer:1:2")
    crumbs = spread | {"group": "inner", "types": ["c.v1"]}
    fold.apply_facts(read(fact("completed", "s/b", part.id, source="s/a", type="b.v1", outputs=[crumbs])), 2.0)
    crumb = next(e for e in state(fold).events if e.scope == "outer:1:2/inner:0:2")
    fills = {"group": "a-join", "param": 1, "index": 0, "size": 2, "sides": 2, "absent": True, "pending": True}
    out = {"slot": 0, "type": "d", "id": "d-pending", "absent": 1, "pending": True}
    fold.apply_facts(read(fact("held", "s/j", crumb.id, source="s/b", type="c.v1", fills=fills, outputs=[out])), 3.0)
    (absence,) = [e for e in state(fold).events if e.absent]
    assert (absence.scope, absence.pending, absence.topic) == ("outer:1:2", True, "d")
