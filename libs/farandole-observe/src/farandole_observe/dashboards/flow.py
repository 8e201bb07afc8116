"""The order in which events come by the steps: who publishes stands before who takes it."""

from farandole.fold import Topology
from farandole_observe.questions.drawing import OUTSIDE, edges


def in_order(topology: Topology) -> list[str]:
    """Every step that exists. Where events go in a circle, it is entered by name."""
    waits = {name: set[str]() for name, info in topology.steps.items() if info.exists}
    for edge in edges(topology):
        if edge.taker is not None and edge.giver not in (OUTSIDE, edge.taker):
            waits[edge.taker].add(edge.giver)
    found: list[str] = []
    while waits:
        free = sorted(name for name, givers in waits.items() if not givers & waits.keys()) or [min(waits)]
        found += free
        for name in free:
            del waits[name]
    return found
