"""What `schemas check` refuses: members that may get lost or come twice, types that nobody gives or takes."""

from collections.abc import Sequence

import pytest

from farandole.events.manifest import InPort, Manifest, OutSlot, StepManifest
from farandole.fold import Problem, Topology, check_groups, check_types
from libs.farandole.tests.unit.fold.choreographies import EARTH_OBSERVATION, NESTED, flaky
from libs.farandole.tests.unit.fold.declared import fan, one, service, step, take
from libs.farandole.tests.unit.fold.script import state


def _dance(*middle: StepManifest, final: tuple[str, ...] = (), gathers: tuple[str, ...] = ("done",)) -> list[Manifest]:
    """A fan-out into `part`, whatever stands between, and a fan-in of `gathers`."""
    return [
        service("open", step("cut", take("x", "job"), gives=(fan("part"),)), accepts=("job",)),
        service("mid", *middle, final=final),
        service("close", step("all", take("xs", *gathers, many=True), gives=(one("end"),)), final=("end",)),
    ]


def _one(name: str, taken: str, *gives: OutSlot) -> StepManifest:
    return step(name, take("x", taken), gives=gives)


def _found(services: Sequence[Manifest]) -> list[Problem]:
    return check_groups(Topology.of(services))


SOUND = {
    "a line": _dance(_one("work", "part", one("done"))),
    "a refusal that the fan-in names": _dance(_one("work", "part", one("done", "no")), gathers=("done", "no")),
    "a member that may not come": _dance(_one("work", "part", one("done", optional=True))),
    "a branch beside the way": _dance(
        _one("work", "part", one("done")), _one("look", "part", one("seen")), _one("log", "part"), final=("seen",)
    ),
    "two ways that join": _dance(
        _one("left", "part", one("l")),
        _one("right", "part", one("r")),
        step("both", take("a", "l"), take("b", "r"), gives=(one("done"),)),
    ),
    "an inner group that closes on the way": _dance(
        _one("again", "part", fan("crumb")),
        _one("chew", "crumb", one("chewed")),
        step("glue", take("xs", "chewed", many=True), gives=(one("done"),)),
    ),
    "an inner group that joins its outer member": _dance(
        _one("again", "part", one("frame"), fan("crumb")),
        step("glue", take("f", "frame"), take("xs", "crumb", many=True), gives=(one("done"),)),
    ),
    "a circle that may end": _dance(
        _one("try", "part", one("tried")),
        _one("judge", "tried", one("done", "worse")),
        _one("mend", "worse", one("tried")),
    ),
    "no fan-in at all": _dance(_one("work", "part", one("other")), final=("other",)),
    "two fan-ins": [
        *_dance(_one("work", "part", one("done"))),
        service("count", step("all", take("xs", "done", many=True), gives=(one("counted"),)), final=("counted",)),
    ],
}

UNSOUND = {
    "a refusal that nobody gathers": (
        _dance(_one("work", "part", one("done", "no")), final=("no",)),
        ("elsewhere", ("open/cut", "close/all", "mid/work"), ("no.v1",), "list[… | …]"),
    ),
    "a refusal that ends in a leaf": (
        _dance(_one("work", "part", one("done", "no")), _one("weep", "no")),
        ("elsewhere", ("open/cut", "close/all", "mid/weep"), ("no.v1",), "publishes nothing"),
    ),
    "a join whose other side may not come": (
        _dance(
            _one("left", "part", one("l", "no")),
            _one("right", "part", one("r")),
            step("both", take("a", "l"), take("b", "r"), gives=(one("done"),)),
            final=("no",),
        ),
        (
            "elsewhere",
            ("open/cut", "close/all", "mid/left", "mid/both"),
            ("no.v1", "r.v1"),
            "r.v1 in mid/both, whose other sides do not come",
        ),
    ),
    "two ways to the same slot": (
        _dance(_one("left", "part", one("done")), _one("right", "part", one("no")), gathers=("done", "no")),
        ("twice", ("open/cut", "close/all", "mid/left", "mid/right"), ("done.v1", "no.v1"), "more than once"),
    ),
    "two slots to the same slot": (
        _dance(_one("work", "part", one("done"), one("also")), _one("mend", "also", one("done"))),
        ("twice", ("open/cut", "close/all", "mid/mend", "mid/work"), ("done.v1",), "more than once"),
    ),
    "a refusal, and a branch beside the way": (
        _dance(
            _one("work", "part", one("done", "no")),
            _one("look", "part", one("seen")),
            _one("log", "part"),
            final=("no", "seen"),
        ),
        ("elsewhere", ("open/cut", "close/all", "mid/work"), ("no.v1",), "may end as no.v1 from mid/work, but"),
    ),
    "two ways to the same side of a join": (
        _dance(
            _one("left", "part", one("l")),
            _one("again", "part", one("l2")),
            _one("right", "part", one("r")),
            step("both", take("a", "l", "l2"), take("b", "r"), gives=(one("done"),)),
        ),
        ("twice", ("open/cut", "mid/both", "mid/left", "mid/again"), ("l.v1", "l2.v1"), "mid/both ('a')"),
    ),
    "an inner group that nobody closes": (
        _dance(_one("work", "part", one("done", "more")), _one("again", "more", fan("done"))),
        ("elsewhere", ("open/cut", "close/all"), ("end.v1",), "may end as end.v1 from close/all"),
    ),
    "a circle without an end": (
        _dance(_one("try", "part", one("tried")), _one("mend", "tried", one("bad")), _one("redo", "bad", one("part"))),
        ("endless", ("open/cut",), ("part.v1",), "leads back"),
    ),
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_group_has_no_problem(name: str) -> None:
    """Every way of every member ends exactly once at the fan-in that gathers it, or never leads there."""
    assert _found(SOUND[name]) == []


@pytest.mark.parametrize("name", UNSOUND)
def test_an_unsound_group_is_named_with_services_steps_and_types(name: str) -> None:
    """Which fan-out, which fan-in, where the member may end, and the cure."""
    services, (kind, steps, types, words) = UNSOUND[name]
    problem = _found(services)[0]
    assert problem.kind == kind
    assert (problem.steps, problem.types) == (steps, types)
    assert words in problem.text
    assert all(name in problem.text for name in (*steps[:2], *types))


@pytest.mark.parametrize("services", [EARTH_OBSERVATION, NESTED])
def test_the_choreographies_of_the_other_tests_are_sound(services: Sequence[Manifest]) -> None:
    """Groups and types alike."""
    topology = Topology.of(services)
    assert (check_groups(topology), check_types(topology)) == ([], [])


def _hangs(services: Sequence[Manifest], seeds: int = 30) -> bool:
    """Whether some run, at whose end nothing is dead, leaves an open group."""
    for seed in range(seeds):
        dance = flaky(*services, seed=seed, dying=0.0)
        workflow = dance.publish("job", "e1")
        dance.settle(400)
        if not (dance.queue or dance.dead) and any(left.kind == "group" for left in state(dance.fold(), workflow).left):
            return True
    return False


@pytest.mark.parametrize("name", [n for n, (_, found) in UNSOUND.items() if found[0] == "elsewhere"])
def test_what_is_refused_for_ending_elsewhere_does_hang(name: str) -> None:
    """The refusal is no theory: some run of it leaves a group waiting for ever."""
    assert _hangs(UNSOUND[name][0])


@pytest.mark.parametrize("name", SOUND)
def test_what_is_let_through_never_hangs(name: str) -> None:
    """Thirty runs with every alternative taken at random."""
    assert not _hangs(SOUND[name])


def test_a_group_with_too_many_ways_is_reported_not_passed() -> None:
    """What cannot be checked is a finding of its own."""
    middle = [_one(f"w{n}", "part", one(f"a{n}", f"b{n}")) for n in range(15)]
    final = tuple(f"{letter}{n}" for letter in "ab" for n in range(15))
    (problem,) = _found(_dance(*middle, final=final))
    assert (problem.kind, problem.steps) == ("unchecked", ("open/cut",))


def test_versions_are_types_of_their_own() -> None:
    """A fan-in of version 1 does not gather version 2."""
    newer = OutSlot(types=[("done", 2)])
    services = _dance(_one("work", "part", OutSlot(types=[("done", 1), ("done", 2)])), final=())
    assert [(p.kind, p.types) for p in _found(services)] == [("elsewhere", ("done.v2",))]
    assert _found(_dance(_one("work", "part", newer))) == []


def test_steps_that_are_gone_take_no_part() -> None:
    """Only what subscribes still can lose or find a member."""
    services, _ = UNSOUND["two ways to the same slot"]
    newer = services[1].model_copy(update={"version": "2", "at": 9.0, "steps": services[1].steps[:1]})
    assert _found([*services, newer]) == []
    shut = services[0].model_copy(update={"version": "2", "at": 9.0, "steps": []})
    assert _found([*services, shut]) == []


def test_a_published_type_that_nobody_takes_has_to_be_final() -> None:
    """And an accepted one has to be taken; both are named with their service."""
    services = [service("s", _one("a", "in", one("out")), accepts=("in", "unused"), final=())]
    found = {(p.kind, p.types): p for p in check_types(Topology.of(services))}
    assert set(found) == {("unconsumed", ("out.v1",)), ("unconsumed", ("unused.v1",))}
    assert found["unconsumed", ("out.v1",)].steps == ("s/a",)
    assert "declare it final" in found["unconsumed", ("unused.v1",)].text
    assert found["unconsumed", ("unused.v1",)].steps == ("s",)


def test_a_taken_type_has_to_come_from_somewhere() -> None:
    """Version for version: who takes v2 of what is published as v1, waits for ever."""
    newer = InPort(name="x", types=[("out", 2)])
    services = [
        service("s", _one("a", "in", one("out")), accepts=("in",)),
        service("t", step("b", newer)),
    ]
    found = [(p.kind, p.types, p.steps) for p in check_types(Topology.of(services))]
    assert found == [("unconsumed", ("out.v1",), ("s/a",)), ("unpublished", ("out.v2",), ("t/b",))]
