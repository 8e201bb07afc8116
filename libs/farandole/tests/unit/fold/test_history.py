"""Whole histories, from the first event to the last, through every shape that a step may have."""

from farandole.fold import Fold, WorkflowState
from libs.farandole.tests.unit.fold.choreographies import EARTH_OBSERVATION, NESTED
from libs.farandole.tests.unit.fold.dance import Dance, Given
from libs.farandole.tests.unit.fold.declared import fan, one, service, step, take
from libs.farandole.tests.unit.fold.model import Owed
from libs.farandole.tests.unit.fold.script import kinds, state

LINE = (
    service("one", step("a", take("x", "a"), gives=(one("b"),)), accepts=("a",)),
    service("two", step("b", take("x", "b"), gives=(one("c"),)), final=("c",)),
)
FAN = (
    service("one", step("cut", take("x", "a"), gives=(fan("b"),)), accepts=("a",)),
    service("two", step("work", take("x", "b"), gives=(one("c", optional=True),))),
    service("three", step("all", take("xs", "c", many=True), gives=(one("d"),)), final=("d",)),
)


def _given(*slots: str | list[str] | None) -> Given:
    return list(slots)


def _run(dance: Dance, type_name: str, event_id: str = "e1") -> WorkflowState:
    workflow = dance.publish(type_name, event_id, key="k")
    dance.settle()
    return state(dance.fold(), workflow)


def test_a_line_of_steps_is_complete_when_its_final_event_is_there() -> None:
    """One delivery a step, and the events in the order of their causes."""
    found = _run(Dance(*LINE), "a")
    assert (found.status, found.moves, found.left) == ("complete", False, ())
    assert [e.type for e in found.events] == ["a.v1", "b.v1", "c.v1"]
    assert [e.cause for e in found.events] == ["", *(e.id for e in found.events[:2])]
    assert [i.key for i in found.summary.inputs] == ["k"]
    assert {name: count.done for name, count in found.summary.steps.items()} == {"one/a": 1, "two/b": 1}


def test_the_earth_observation_chain_with_18_tiles_ends_complete() -> None:
    """Ten services, every delivery ended exactly once, one product."""
    found = _run(Dance(*EARTH_OBSERVATION, members=18), "scene.received")
    assert (found.status, found.left) == ("complete", ())
    done = {name.partition("/")[0]: count.done for name, count in found.summary.steps.items()}
    once = dict.fromkeys(("ingest", "stacking", "tiling", "mosaic", "cog", "quicklook", "catalogue"), 1)
    assert done == once | dict.fromkeys(("calibration", "masking", "indices"), 18)
    assert [e.type for e in found.events].count("product.catalogued.v1") == 1
    assert len(found.events) == 1 + 2 + 4 * 18 + 4
    assert not any(count.waiting or count.gathering or count.dead for count in found.summary.steps.values())


def test_a_refused_scene_is_complete_too() -> None:
    """A refusal is an event; where it is final nothing is left."""
    dance = Dance(*EARTH_OBSERVATION, behave={"ingest/validate": lambda _, __: _given("scene.rejected")})
    found = _run(dance, "scene.received")
    assert (found.status, [e.type for e in found.events]) == ("complete", ["scene.received.v1", "scene.rejected.v1"])


def test_the_members_of_a_fan_out_carry_its_scope_and_the_fan_in_takes_it_off() -> None:
    """Scopes are derived from facts alone: group, index and size of every member, none after the fan-in."""
    found = _run(Dance(*FAN, members=3), "a")
    scopes = {(e.type, e.scope.partition(":")[2]) for e in found.events}
    members = {(t, f"{n}:3") for t in ("b.v1", "c.v1") for n in range(3)}
    assert scopes == members | {("a.v1", ""), ("d.v1", "")}


def test_a_group_of_one_gives_its_result_outside_of_the_group() -> None:
    """Nothing but the group's own id tells that its only member's level is gone."""
    found = _run(Dance(*FAN, members=1), "a")
    assert [e.scope.count(":") for e in found.events if e.type == "d.v1"] == [0]


def test_an_empty_fan_out_gathers_to_nothing_and_is_complete() -> None:
    """An empty list is an absence in a group of size 0, which is full at once."""
    found = _run(Dance(*FAN, members=0), "a")
    assert (found.status, [e.type for e in found.events if not e.absent]) == ("complete", ["a.v1", "d.v1"])


def test_an_absence_fills_its_slot_and_the_group_closes() -> None:
    """A member that gives nothing is said to be absent; the workflow is complete without it."""

    def work(delivery: Owed, _: int) -> Given:
        assert delivery.event is not None
        return _given(None if delivery.event.scope[-1].index == 1 else "c")

    found = _run(Dance(*FAN, members=3, behave={"two/work": work}), "a")
    assert found.status == "complete"
    absent = [e for e in found.events if e.absent]
    assert [(e.type, e.topic, e.pending) for e in absent] == [("farandole.absent.v1", "c", False)]
    assert found.summary.steps["three/all"].held == 3


def test_an_absence_that_nobody_takes_keeps_nothing_open() -> None:
    """Only events have to be taken; that something will not come need not interest anybody."""
    lone = (
        service("one", step("cut", take("x", "a"), gives=(fan("b"),)), accepts=("a",)),
        service("two", step("work", take("x", "b"), gives=(one("c", optional=True),)), final=("c",)),
    )
    found = _run(Dance(*lone, behave={"two/work": lambda _, __: _given(None)}), "a")
    assert (found.status, sum(e.absent for e in found.events)) == ("complete", 4)


def test_either_of_two_types_and_nested_groups_end_complete() -> None:
    """Inner groups close into their outer group's members, through refusals and joins."""
    found = _run(Dance(*NESTED, members=3), "job.given")
    assert (found.status, found.left) == ("complete", ())
    depths = {e.type: e.scope.count("/") + bool(e.scope) for e in found.events}
    assert (depths["crumb.chewed.v1"], depths["part.done.v1"], depths["job.done.v1"]) == (2, 1, 0)


def test_a_join_waits_for_every_side() -> None:
    """One side alone is an open group; the other closes it."""
    sides = (
        service("in", step("l", take("x", "a"), gives=(one("l"),)), step("r", take("x", "a"), gives=(one("r"),)),
                accepts=("a",)),
        service("out", step("both", take("left", "l"), take("right", "r"), gives=(one("z"),)), final=("z",)),
    )  # fmt: skip
    dance = Dance(*sides)
    workflow = dance.publish("a", "e1")
    open_seen = 0
    while dance.queue:
        dance.settle(1)
        found = state(dance.fold(), workflow)
        groups = [left for left in found.left if left.kind == "group"]
        open_seen += bool(groups)
        for left in groups:
            assert (left.present, left.missing, len(left.members)) == (1, 1, 1)
            assert left.members[0].param in ("left", "right")
            assert left.members[0].index is None
    assert open_seen
    assert state(dance.fold(), workflow).status == "complete"


def test_a_join_with_a_list_gives_its_result_beside_the_single_side() -> None:
    """`b: B, cs: list[C]`: the list's level goes, the scope of the single side stays."""
    mixed = (
        service("in", step("cut", take("x", "a"), gives=(one("b"), fan("c"))), accepts=("a",)),
        service("out", step("both", take("b", "b"), take("cs", "c", many=True), gives=(one("z"),)), final=("z",)),
    )
    found = _run(Dance(*mixed, members=5), "a")
    assert found.status == "complete"
    assert [(e.type, e.scope) for e in found.events if e.type == "z.v1"] == [("z.v1", "")]
    assert found.summary.steps["out/both"].held == 6


def test_a_fan_out_is_not_over_before_every_slice_of_it_was_read() -> None:
    """A long list goes on in `continued` facts; until then its members are unread, and something moves."""
    one_step = (service("one", step("cut", take("x", "a"), gives=(fan("b"),)), accepts=("a",), final=("b",)),)
    dance = Dance(*one_step, members=8)
    workflow = dance.publish("a", "e1")
    dance.settle()
    seen = []
    for fold, _, _ in dance.steps_of_fold():
        found = state(fold, workflow)
        seen.append((found.status, kinds(found), found.left[0].missing if found.left else 0))
    unread = [("unread", "one/cut")]
    assert seen == [("running", unread, 5), ("running", unread, 2), ("complete", [], 0)]


def test_the_ids_of_the_members_are_derived_as_the_services_derive_them() -> None:
    """Facts name members by index only; the fold and the publisher have to come to the same ids."""
    dance = Dance(*FAN, members=7)
    workflow = dance.publish("a", "e1")
    dance.settle()
    published = {
        (event["source"], event["id"]) for entry in dance.facts[workflow] for event in [entry.get("event")] if event
    }
    known = {(e.source, e.id) for e in state(dance.fold(), workflow).events}
    assert len(published) == 1 + 7 + 7
    assert published <= known


def test_a_workflow_nobody_wrote_is_not_there() -> None:
    """Not found is None, neither an empty workflow nor an error."""
    fold = Fold()
    assert (fold.workflow("x"), fold.summary("x"), fold.workflows()) == (None, None, [])


def test_workflows_are_listed_newest_first() -> None:
    """By the time of their first record."""
    dance = Dance(*LINE)
    flows = [dance.publish("a", f"e{n}") for n in range(3)]
    dance.settle()
    assert [s.workflow for s in dance.fold().workflows()] == flows[::-1]
