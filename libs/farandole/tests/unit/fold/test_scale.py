"""What a large workflow costs: calls grow with its members, not with their square, and memory stays flat per member."""

import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any

from pydantic_core import to_json

from farandole.events.facts import read_facts
from farandole.fold import Fold
from libs.farandole.tests.unit.fold.choreographies import EARTH_OBSERVATION
from libs.farandole.tests.unit.fold.dance import Dance

BATCH = 100


class _Quick(Dance):
    """Keeps no books of what is left: they would cost more than the fold."""

    def left(self, workflow: str, unread: int = 0) -> Any:
        return None


def _journal(members: int) -> tuple[Dance, list[bytes], str]:
    dance = _Quick(*EARTH_OBSERVATION, members=members)
    workflow = dance.publish("scene.received", "s1")
    dance.settle()
    facts = dance.facts[workflow]
    return dance, [to_json(facts[n : n + BATCH]) for n in range(0, len(facts), BATCH)], workflow


def _folded(dance: Dance, records: list[bytes], workflow: str) -> Fold:
    """As a reader that waits does it: a summary after every record."""
    fold = Fold()
    for manifest in dance.services:
        fold.apply_manifest(manifest)
    for envelope, place, time in dance.inputs:
        fold.apply_input(envelope, place, time)
    for data in records:
        fold.apply_facts(read_facts(data), 1.0)
        fold.summary(workflow)
    return fold


def _calls(act: Callable[[], object]) -> int:
    made = 0

    def count(_: FrameType, event: str, __: object) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
    return made


def test_a_fan_out_costs_in_proportion_to_its_members() -> None:
    """Counted in calls, so that a busy machine makes no difference: folding, waiting and looking."""
    costs: dict[int, tuple[int, int]] = {}
    for members in (100, 800):
        dance, records, workflow = _journal(members)
        fold = _folded(dance, records, workflow)
        costs[members] = (
            _calls(lambda d=dance, r=records, w=workflow: _folded(d, r, w)),  # type: ignore[misc]  # bound now
            _calls(lambda f=fold, w=workflow: f.workflow(w)),  # type: ignore[misc]
        )
    assert all(large <= 8.5 * small for small, large in zip(costs[100], costs[800], strict=True))


def test_a_summary_costs_the_same_however_large_the_workflow_is() -> None:
    """Counters, not a recount: what waits may ask after every record."""
    costs = []
    for members in (10, 400):
        dance, records, workflow = _journal(members)
        fold = _folded(dance, records, workflow)
        costs.append(_calls(lambda f=fold, w=workflow: f.summary(w)))  # type: ignore[misc]
    assert costs[0] == costs[1]


def test_memory_is_flat_per_member() -> None:
    """Each member is four events and as many deliveries here: at most 8 kB, so 80 MB for ten thousand."""
    dance, records, workflow = _journal(800)
    _folded(dance, records[:1], workflow)
    tracemalloc.start()
    try:
        fold = _folded(dance, records, workflow)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert fold.summary(workflow) is not None
    assert used / 800 <= 8_000
