"""What the views show: missing members and where they ended, order of events, counts, hashes, JSON."""

import json
from dataclasses import asdict, replace

import farandole.fold
from farandole.fold import Left, canonical
from farandole.fold.missing import SHOWN
from libs.farandole.tests.unit.fold.choreographies import EARTH_OBSERVATION, NESTED, full_inside
from libs.farandole.tests.unit.fold.dance import Dance, Given, Retry, Terminal
from libs.farandole.tests.unit.fold.declared import fan, one, service, step, take
from libs.farandole.tests.unit.fold.model import Owed
from libs.farandole.tests.unit.fold.script import FLOW, fact, fold_of, given, read, state

LEAKY = (
    service("one", step("cut", take("x", "a"), gives=(fan("b"),)), accepts=("a",)),
    service("two", step("work", take("x", "b"), gives=(one("c", "refused", "dropped"),)), final=("refused",)),
    service("leaf", step("drop", take("x", "dropped"))),
    service("three", step("all", take("xs", "c", many=True), gives=(one("d"),)), final=("d",)),
)


def _by_index(delivery: Owed, _: int) -> Given:
    assert delivery.event is not None
    return [("c", "refused", "dropped")[delivery.event.scope[-1].index % 3]]


def _group(dance: Dance, workflow: str) -> Left:
    return next(left for left in state(dance.fold(), workflow).left if left.kind == "group")


def test_a_group_that_hangs_names_every_member_that_is_missing_and_where_it_ended() -> None:
    """In a final event, in a leaf: the two ways to lose a member that `schemas check` refuses."""
    dance = Dance(*LEAKY, members=3, behave={"two/work": _by_index})
    workflow = dance.publish("a", "e1")
    dance.settle()
    found = state(dance.fold(), workflow)
    assert (found.status, found.moves) == ("waiting", False)
    group = _group(dance, workflow)
    assert found.summary.steps["three/all"].gathering == 1
    assert (group.step, group.present, group.missing) == ("three/all", 1, 2)
    ends = [(m.index, m.param, m.pending, [(e.kind, e.step, e.type) for e in m.ends]) for m in group.members]
    assert ends == [
        (1, "xs", False, [("final", "", "refused.v1")]),
        (2, "xs", False, [("leaf", "leaf/drop", "dropped.v1")]),
    ]


def test_only_the_first_missing_members_are_named_and_all_are_counted() -> None:
    """A group of thousands stays readable."""
    dance = Dance(*LEAKY, members=100, behave={"two/work": _by_index})
    workflow = dance.publish("a", "e1")
    dance.settle()
    group = _group(dance, workflow)
    assert (group.present, group.missing, len(group.members)) == (34, 66, SHOWN)
    assert [m.index for m in group.members] == [n for n in range(100) if n % 3][:SHOWN]


def test_an_outer_member_is_followed_into_its_inner_group() -> None:
    """The outer group lacks a member because the inner one does, because a crumb died."""

    def chew(delivery: Owed, _: int) -> Given:
        assert delivery.event is not None
        if [level.index for level in delivery.event.scope] == [1, 0]:
            raise Terminal("hard")
        return ["crumb.chewed"]

    dance = Dance(*NESTED, members=2, behave={"work/chew": chew})
    workflow = dance.publish("job.given", "e1")
    dance.settle()
    groups = {left.step: left for left in state(dance.fold(), workflow).left if left.kind == "group"}
    assert {(e.kind, e.step) for m in groups["work/gather"].members for e in m.ends} == {("dead", "work/chew")}
    outer = groups["close/all"]
    assert [(m.index, [(e.kind, e.step) for e in m.ends]) for m in outer.members] == [
        (1, [("group", "work/gather"), ("dead", "work/chew")])
    ]


def test_an_outer_member_whose_inner_group_is_full_is_owed_by_the_step_that_gathers_it() -> None:
    """It waits for no member any more; nothing but the step's outcome is lacking, since its last member was held."""
    dance, workflow, full = full_inside()
    found = dance.fold().workflow(workflow)
    assert found is not None
    owed, outer = sorted(found.left, key=lambda left: left.kind, reverse=True)
    assert (owed.kind, owed.step, owed.since, owed.moves) == ("owed", "c/gather", full, True)
    assert [(m.index, [(e.kind, e.step) for e in m.ends]) for m in outer.members] == [(0, [("owed", "c/gather")])]


def test_the_missing_side_of_a_join_is_named_by_its_parameter() -> None:
    """And followed from where the workflow, or its member, began."""

    def render(_: Owed, __: int) -> Given:
        raise Retry("busy")

    dance = Dance(*EARTH_OBSERVATION, members=2, behave={"quicklook/render": render})
    workflow = dance.publish("scene.received", "s1")
    dance.settle()
    (member,) = _group(dance, workflow).members
    assert (member.param, member.index, member.pending) == ("look", None, False)
    assert [(e.kind, e.step, e.type) for e in member.ends] == [("dead", "quicklook/render", "scene.mosaicked.v1")]


def test_where_a_member_ended_is_said_once_though_many_ways_lead_there() -> None:
    """Three crumbs closed into one part, and that one died."""

    def either(delivery: Owed, _: int) -> Given:
        assert delivery.event is not None
        if delivery.event.scope[0].index == 1:
            raise Terminal("hard")
        return ["part.marked", "part.noted"]

    dance = Dance(*NESTED, members=3, behave={"work/either": either})
    workflow = dance.publish("job.given", "e1")
    dance.settle()
    outer = next(left for left in state(dance.fold(), workflow).left if left.step == "close/all")
    assert [[(e.kind, e.step) for e in m.ends] for m in outer.members] == [[("dead", "work/either")]]


def test_events_stand_after_their_causes_those_from_outside_too() -> None:
    """A program of strangers joins in: its event has a cause of ours, and no fact tells of it."""
    fold = fold_of(
        service("s", step("a", take("x", "a"), gives=(one("b"),)), accepts=("a", "c"), final=("b",)),
        service("t", step("c", take("x", "c"), gives=(one("d"),)), final=("d",)),
    )
    out = {"slot": 0, "type": "b.v1", "id": "b1", "key": None}
    fold.apply_input(given("c1", type_name="c", cause="b1", source="stranger"), ("c", 0, 0), 3.0)
    fold.apply_input(given("c2", type_name="c", cause="c1", source="stranger"), ("c", 0, 1), 4.0)
    fold.apply_facts(read(fact("completed", "s/a", "e1", outputs=[out])), 2.0)
    fold.apply_input(given("e1"), ("a", 0, 0), 1.0)
    after = fact("completed", "t/c", "c1", type="c.v1", source="stranger", outputs=[out | {"type": "d.v1", "id": "d1"}])
    fold.apply_facts(read(after), 5.0)
    found = state(fold)
    assert [e.id for e in found.events] == ["e1", "b1", "c1", "c2", "d1"]
    assert [i.id for i in found.summary.inputs] == ["e1", "c1", "c2"]


def test_events_that_name_each_other_as_cause_are_still_listed() -> None:
    """Whatever strangers write, nothing gets lost and nothing hangs."""
    fold = fold_of(service("s", step("a", take("x", "a")), accepts=("a",)))
    fold.apply_input(given("e1", cause="e2"), ("a", 0, 0), 1.0)
    fold.apply_input(given("e2", cause="e1"), ("a", 0, 1), 2.0)
    fold.apply_input(given("e3", cause="e3"), ("a", 0, 2), 3.0)
    assert sorted(e.id for e in state(fold).events) == ["e1", "e2", "e3"]


def test_every_view_is_plain_json() -> None:
    """What `--json` prints comes from here without further ado."""
    dance = Dance(*LEAKY, members=5, behave={"two/work": _by_index})
    workflow = dance.publish("a", "e1")
    dance.settle(9)
    found = state(dance.fold(), workflow)
    plain = json.loads(json.dumps(asdict(found)))
    assert plain["summary"]["workflow"] == workflow
    assert {"kind", "step", "since", "group", "members"} <= set(plain["left"][0])


def test_the_hash_ignores_positions_and_append_times_and_nothing_else() -> None:
    """Two copies of one log are equal; a changed count, event or status is not."""
    dance = Dance(*EARTH_OBSERVATION, members=2)
    workflow = dance.publish("scene.received", "s1")
    dance.settle()
    found = state(dance.fold(), workflow)
    summary = found.summary
    moved = replace(found, events=tuple(replace(e, place=("z", 9, 9), time=e.time + 7) for e in found.events))
    later = replace(found, summary=replace(summary, started=0.0, updated=9e9))
    assert canonical(found) == canonical(moved) == canonical(later) == canonical([found])
    fewer = replace(found, events=found.events[:-1])
    other = replace(found, summary=replace(summary, status="dead"))
    count = {**summary.steps, "cog/write": replace(summary.steps["cog/write"], completed=2)}
    counted = replace(found, summary=replace(summary, steps=count))
    assert len({canonical(s) for s in (found, fewer, other, counted)}) == 4


def test_a_workflow_that_only_waits_for_a_retry_says_until_when() -> None:
    """What `status` has to print of it: step, event, key, due."""
    fold = fold_of(service("s", step("a", take("x", "a")), accepts=("a",)))
    fold.apply_input(given("e1", key="k1"), ("a", 0, 0), 1.0)
    fold.apply_facts(read(fact("retrying", "s/a", "e1", due=86_400.0)), 2.0)
    (left,) = state(fold).left
    assert (left.step, left.id, left.type, left.key, left.due) == ("s/a", "e1", "a.v1", "k1", 86_400.0)
    assert fold.summary(FLOW) is not None


def test_the_public_names_are_these() -> None:
    """A name that comes or goes is a decision, not an accident."""
    assert farandole.fold.__all__ == sorted(farandole.fold.__all__)
    assert all(hasattr(farandole.fold, name) for name in farandole.fold.__all__)
    assert {"Fold", "Topology", "WorkflowState", "Summary", "Left", "canonical", "check_groups", "check_types"} <= set(
        farandole.fold.__all__
    )
