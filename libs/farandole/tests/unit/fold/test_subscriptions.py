"""Who owes an event an outcome: intervals, versions of a service, late manifests, and what no manifest names."""

from itertools import pairwise

from hypothesis import given as forall
from hypothesis import strategies as st

from farandole.events.manifest import Interval, Manifest
from farandole.fold import Fold, Topology
from farandole.fold.topology import closed, merged
from libs.farandole.tests.unit.fold.declared import one, service, step, take
from libs.farandole.tests.unit.fold.script import fact, fold_of, given, kinds, read, state

SINK = service("s", step("a", take("x", "a"), gives=(one("b"),)), accepts=("a",), final=("b",))
AT = ("a", 0, 0)


def _version(manifest: Manifest, version: str, at: float) -> Manifest:
    return manifest.model_copy(update={"version": version, "at": at})


def _input(fold: Fold, event_id: str = "e1", *, time: float = 10.0) -> None:
    fold.apply_input(given(event_id), AT, time)


def test_an_input_is_owed_by_every_taker_of_its_type() -> None:
    """Each on its own; nothing is complete before all have answered."""
    fold = fold_of(SINK, service("t", step("b", take("x", "a")), step("c", take("x", "a"))))
    _input(fold)
    assert kinds(state(fold)) == [("owed", "s/a"), ("owed", "t/b"), ("owed", "t/c")]
    for name in ("t/b", "s/a", "t/c"):
        assert state(fold).status == "running"
        fold.apply_facts(read(fact("completed", name, "e1")), 20.0)
    assert state(fold).status == "complete"


def test_the_order_of_manifest_input_and_fact_makes_no_difference() -> None:
    """A fact may be read before the event that it is about, and before anybody who owes it is known."""
    fold = Fold()
    fold.apply_facts(read(fact("completed", "s/a", "e1", time=10.0)), 20.0)
    assert state(fold).status == "complete"
    fold.apply_manifest(service("t", step("b", take("x", "a"))))
    assert kinds(state(fold)) == [("owed", "t/b")]
    _input(fold)
    assert [(i.source, i.id, i.place) for i in state(fold).summary.inputs] == [("client", "e1", AT)]
    assert kinds(state(fold)) == [("owed", "t/b")]


def test_a_step_that_starts_now_owes_nothing_of_before() -> None:
    """Its interval begins when it first ran; what it handles from before counts all the same."""
    fold = fold_of(SINK, service("late", step("b", take("x", "a"), since=100.0)))
    _input(fold, "old", time=99.9)
    assert kinds(state(fold)) == [("owed", "s/a")]
    _input(fold, "new", time=100.0)
    owed = {(left.step, left.id) for left in state(fold).left}
    assert owed == {("s/a", "old"), ("s/a", "new"), ("late/b", "new")}
    fold.apply_facts(read(fact("completed", "late/b", "old", time=99.9)), 200.0)
    assert state(fold).summary.steps["late/b"].completed == 1


def test_outputs_are_owed_by_who_subscribed_when_their_delivery_finished() -> None:
    """Their time is that of the fact, not of whatever led to it."""
    fold = fold_of(SINK, service("late", step("c", take("x", "b"), since=100.0)))
    for event_id, finished in (("e1", 90.0), ("e2", 110.0)):
        _input(fold, event_id)
        out = {"slot": 0, "type": "b.v1", "id": f"b-{event_id}", "key": None}
        fold.apply_facts(read(fact("completed", "s/a", event_id, finished=finished, outputs=[out])), 120.0)
    assert [(left.step, left.id) for left in state(fold).left] == [("late/c", "b-e2")]


def test_a_version_without_the_step_closes_its_interval() -> None:
    """What came before is still owed, but by nobody who could: it waits. What comes later is not owed."""
    without = service("s", step("other", take("x", "z")), accepts=("a", "z"), final=("a",))
    fold = fold_of(_version(SINK, "1", 10.0), _version(without, "2", 50.0))
    _input(fold, "before", time=49.0)
    found = state(fold)
    assert (found.status, kinds(found), found.left[0].moves) == ("waiting", [("owed", "s/a")], False)
    fold.apply_facts(read(fact("completed", "s/a", "before", time=49.0)), 60.0)
    _input(fold, "after", time=50.0)
    assert state(fold).status == "complete"


def test_a_version_that_has_the_step_again_opens_it_again() -> None:
    """A rollback: the older version runs again, declares itself later, and owes all that its intervals hold."""
    without = service("s", accepts=("a",))
    fold = fold_of(_version(SINK, "1", 10.0), _version(without, "2", 50.0))
    _input(fold, time=55.0)
    assert kinds(state(fold)) == [("unconsumed", "client")]
    fold.apply_manifest(_version(SINK, "1", 60.0))
    assert kinds(state(fold)) == [("owed", "s/a")]
    assert state(fold).moves


def test_a_version_whose_step_takes_another_type_closes_that_topic_only() -> None:
    """Intervals belong to a step and a topic."""
    other = service("s", step("a", take("x", "a2"), gives=(one("b"),)), accepts=("a", "a2"))
    topology = Topology.of([_version(SINK, "1", 10.0), _version(other, "2", 50.0)])
    assert (topology.owed_by("a", 49.0), topology.owed_by("a", 51.0)) == (("s/a",), ())
    assert (topology.owed_by("a2", 0.0), topology.exists("s/a")) == (("s/a",), True)
    assert topology.consumers == {("a2", 1): ("s/a",)}


def test_two_versions_side_by_side_are_one_step() -> None:
    """Same steps in both: every event is owed once, whichever of them answers."""
    fold = fold_of(_version(SINK, "1", 10.0), _version(SINK, "2", 50.0))
    _input(fold)
    assert kinds(state(fold)) == [("owed", "s/a")]
    fold.apply_facts(read(fact("completed", "s/a", "e1", version="1")), 60.0)
    assert state(fold).status == "complete"


def test_what_is_accepted_or_final_in_any_version_is_so() -> None:
    """Old events are judged by who declared them."""
    newer = service("s", step("a", take("x", "a2"), gives=(one("b2"),)), accepts=("a2",))
    topology = Topology.of([_version(SINK, "1", 10.0), _version(newer, "2", 50.0)])
    assert topology.accepted == {("a", 1), ("a2", 1)}
    assert topology.accepted_topics == {"a", "a2"}
    assert topology.final == {("b", 1)}
    assert topology.sources == {"s/a"}


def test_an_event_of_a_version_that_nobody_knows_is_owed_by_the_takers_of_its_topic() -> None:
    """They see it and dead-letter it, which is an outcome; to say that nobody takes it would be wrong."""
    fold = fold_of(SINK)
    fold.apply_input(given("e1")._replace(version=9), AT, 1.0)
    assert kinds(state(fold)) == [("owed", "s/a")]


def test_an_event_that_nobody_takes_and_is_not_final_keeps_its_workflow_waiting() -> None:
    """Whether its type stands in a manifest or in none; and a taker that comes later owes it."""
    fold = Fold()
    _input(fold)
    found = state(fold)
    assert (found.status, found.moves, kinds(found)) == ("waiting", False, [("unconsumed", "client")])
    fold.apply_manifest(SINK.model_copy(update={"steps": []}))
    assert kinds(state(fold)) == [("unconsumed", "client")]
    fold.apply_manifest(SINK)
    assert kinds(state(fold)) == [("owed", "s/a")]


def test_a_record_of_a_known_step_is_no_input() -> None:
    """A type may be published by steps and accepted too; the record alone then says nothing yet."""
    both = service("p", step("q", take("x", "z"), gives=(one("a"),)), accepts=("z",))
    fold = Fold()
    fold.apply_input(given("a1", source="p/q"), AT, 1.0)
    assert state(fold).status == "waiting"
    fold.apply_manifest(SINK)
    fold.apply_manifest(both)
    assert (fold.workflow("f" * 32), fold.workflows()) == (None, [])
    out = {"slot": 0, "type": "a.v1", "id": "a1", "key": "k"}
    fold.apply_facts(read(fact("completed", "p/q", "z1", type="z.v1", outputs=[out])), 2.0)
    found = state(fold)
    assert ([i.id for i in found.summary.inputs], kinds(found)) == (["z1"], [("owed", "s/a")])
    assert [(e.id, e.place) for e in found.events] == [("z1", ("z", 0, 0)), ("a1", AT)]


def test_a_workflow_without_a_name_has_the_derived_one() -> None:
    """An input without a correlation id starts the workflow that follows from its identity."""
    fold = fold_of(SINK)
    fold.apply_input(given("e1", workflow=""), AT, 1.0)
    (summary,) = fold.workflows()
    assert len(summary.workflow) == 32
    assert summary.workflow != "f" * 32


def test_an_input_appended_twice_is_one_input_at_its_first_place() -> None:
    """In whatever order the two records are read."""
    for records in ([(("a", 0, 1), 5.0), (("a", 0, 9), 7.0)], [(("a", 0, 9), 7.0), (("a", 0, 1), 5.0)]):
        fold = fold_of(SINK)
        for place, time in records:
            fold.apply_input(given("e1"), place, time)
        assert [(i.place, i.time) for i in state(fold).summary.inputs] == [(("a", 0, 1), 5.0)]


def test_events_without_a_beginning_say_that_history_is_truncated() -> None:
    """A known step published it, but the fact that says so is gone: said, not guessed."""
    fold = fold_of(SINK, service("t", step("c", take("x", "b"))))
    fold.apply_facts(read(fact("completed", "t/c", "b1", type="b.v1", source="s/a")), 9.0)
    lost = fact("completed", "t/c", "b2", type="farandole.absent.v1", topic="b", source="s/a")
    fold.apply_facts(read(lost), 9.0)
    found = state(fold)
    assert (found.summary.truncated, found.summary.inputs) == (True, ())
    assert [(e.type, e.topic, e.absent) for e in found.events] == [
        ("b.v1", "b", False),
        ("farandole.absent.v1", "b", True),
    ]
    _input(fold)
    fold.apply_facts(read(fact("completed", "s/a", "e1")), 9.0)
    assert state(fold).summary.truncated


def test_the_same_manifest_again_changes_nothing() -> None:
    """Services declare themselves at every start."""
    fold = fold_of(SINK)
    before = fold.topology
    fold.apply_manifest(_version(SINK, "1", 99.0))
    assert fold.topology is before


_times = st.one_of(st.none(), st.integers(-5, 5).map(float))


@st.composite
def _intervals(draw: st.DrawFn) -> list[Interval]:
    pairs = draw(st.lists(st.tuples(_times, _times), max_size=5))
    return [Interval(since=a, until=b) for a, b in pairs if a is None or b is None or a < b]


def _within(intervals: list[Interval], time: float) -> bool:
    return any((i.since is None or i.since <= time) and (i.until is None or time < i.until) for i in intervals)


@forall(_intervals(), st.integers(-5, 5).map(float))
def test_merging_and_closing_intervals_keeps_every_moment_where_it_was(intervals: list[Interval], at: float) -> None:
    """Compared moment by moment; and the result is in order and apart."""
    joined = list(merged(intervals))
    ended = closed(intervals, at)
    for moment in (n / 2 for n in range(-12, 13)):
        assert _within(joined, moment) == _within(intervals, moment)
        assert _within(ended, moment) == (_within(intervals, moment) and moment < at)
    for before, after in pairwise(joined):
        assert before.until is not None
        assert after.since is not None
        assert before.until < after.since
