"""A workflow as a tree of steps: which step's events another one took, and how each stands."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from farandole.fold import StepCount, Topology
from farandole.fold.workflow import Workflow

Standing = Literal["running", "waiting", "dead", "complete"]
"""running: owes an outcome, and goes on by itself. waiting: for members of a group, behind a dead letter, or for a
service that is gone. dead: a dead letter stands there. complete: nothing is left of it."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A step below the one whose events it takes. `again`: it stands further up already, with all that follows.

    `took`: the types (with versions) that came that way.
    """

    step: str
    depth: int
    took: tuple[str, ...]
    standing: Standing
    again: bool


def tree(workflow: Workflow, steps: dict[str, StepCount], topology: Topology) -> list[Branch]:
    """From the inputs on, depth first; steps in the order of their names."""
    ways = _ways(workflow)
    found: list[Branch] = []
    seen: set[str] = set()
    stack = [(taker, 0, tuple(sorted(types))) for taker, types in sorted(ways[""].items(), reverse=True)]
    while stack:
        step, depth, took = stack.pop()
        again = step in seen
        standing = _standing(steps.get(step), exists=topology.exists(step))
        found.append(Branch(step, depth, took, standing, again))
        if not again:
            seen.add(step)
            following = sorted(ways[step].items(), reverse=True)
            stack.extend((taker, depth + 1, tuple(sorted(types))) for taker, types in following)
    return found


def _ways(workflow: Workflow) -> dict[str, dict[str, set[str]]]:
    """By giver (empty: from outside), by taker, the types on the way."""
    ways: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for node in workflow.nodes.values():
        if node.counted:
            giver = node.by.step if node.by is not None else ""
            for taker in _takers(node.owing, (d.step for d in node.deliveries.values())):
                ways[giver][taker].add(node.topic if node.absent else node.wire)
    return ways


def _takers(owing: tuple[str, ...], told: Iterator[str]) -> set[str]:
    return {*owing, *told}


def _standing(count: StepCount | None, *, exists: bool) -> Standing:
    if count is None:
        return "complete"
    if count.dead:
        return "dead"
    if (count.waiting or count.retrying) and exists:
        return "running"
    return "waiting" if count.waiting or count.retrying or count.parked or count.gathering else "complete"
