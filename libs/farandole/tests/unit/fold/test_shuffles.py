"""The fold does not mind the order of partitions, and agrees at every fact with a model that keeps its own books."""

from collections import Counter

import pytest

from farandole.fold import canonical
from libs.farandole.tests.unit.fold.choreographies import EARTH_OBSERVATION, NESTED, flaky, operate
from libs.farandole.tests.unit.fold.dance import Dance
from libs.farandole.tests.unit.fold.script import state


def _played(seed: int, *, workflows: int = 3) -> Dance:
    """Some workflows side by side, with what luck brings; some of their dead letters are left lying."""
    dance = flaky(*NESTED, seed=seed)
    for n in range(workflows):
        dance.publish("job.given", f"j{seed}.{n}", key=f"k{n}")
    operate(dance, rounds=3)
    dance.publish("job.given", f"j{seed}.last")
    dance.settle(30)
    return dance


def _hash(dance: Dance, seed: int | None, *, twice: bool = False) -> str:
    fold = dance.fold(seed, twice=twice)
    return canonical(state(fold, summary.workflow) for summary in fold.workflows())


@pytest.mark.parametrize("seed", range(8))
def test_every_interleaving_of_the_partitions_folds_to_the_same_state(seed: int) -> None:
    """Manifests, inputs and the facts of different workflows in any order; facts may come before all else."""
    dance = _played(seed)
    plain = _hash(dance, None)
    assert {_hash(dance, shuffle) for shuffle in range(5)} == {plain}


@pytest.mark.parametrize("seed", range(4))
def test_what_is_read_twice_folds_to_the_same_state(seed: int) -> None:
    """A reader that starts over from a position that it had passed does no harm."""
    dance = _played(seed)
    assert {_hash(dance, shuffle, twice=True) for shuffle in range(4)} == {_hash(dance, None)}


@pytest.mark.parametrize("seed", range(15))
def test_after_every_single_fact_what_is_left_is_what_the_services_still_owe(seed: int) -> None:
    """Nested groups, either-of, refusals, absences, empty fan-outs, retries, deaths, redrives and discards."""
    dance = flaky(*NESTED, seed=seed)
    workflow = dance.publish("job.given", f"j{seed}")
    operate(dance)
    for n, (fold, told, fate) in enumerate(dance.steps_of_fold()):
        found = state(fold, told)
        assert Counter(left.kind for left in found.left) == fate, f"seed {seed}, fact {n}: {dance.facts[told][n]}"
        assert found.moves == bool(fate["owed"] or fate["retrying"] or fate["unread"])
        assert found.status == _status(fate, moves=found.moves)
    assert state(dance.fold(), workflow).status == "complete"


def _status(fate: Counter[str], *, moves: bool) -> str:
    if moves:
        return "running"
    return "dead" if fate["dead"] else "waiting" if fate else "complete"


def test_a_missing_fact_is_never_taken_for_an_end() -> None:
    """Leave out any one outcome of the chain and the workflow is not complete: the hash and the tests can tell."""
    dance = Dance(*EARTH_OBSERVATION, members=2)
    workflow = dance.publish("scene.received", "s1")
    dance.settle()
    facts = dance.facts[workflow]
    whole = state(dance.fold(), workflow)
    for left_out in range(len(facts)):
        dance.facts[workflow] = facts[:left_out] + facts[left_out + 1 :]
        found = state(dance.fold(), workflow)
        assert found.status != "complete" or found.summary.truncated
        assert canonical(found) != canonical(whole)
