"""The topology as a picture: who publishes what, and who takes it; nothing but the manifests together."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from farandole.fold import Topology
from farandole.fold.topology import TypeVersion

OUTSIDE = "outside"
"""Who publishes what is accepted."""


class Edge(NamedTuple):
    """An event type on its way. `giver`: a step, or `OUTSIDE`; `taker`: a step, None where nobody takes it.

    `spreads`: the giver publishes a list of it. `gathers`: the taker waits for all of a group.
    """

    giver: str
    taker: str | None
    type: TypeVersion
    spreads: bool
    gathers: bool

    @property
    def name(self) -> str:
        """The type, with its version where that is not the first."""
        return self.type[0] if self.type[1] == 1 else f"{self.type[0]}.v{self.type[1]}"


def edges(topology: Topology) -> list[Edge]:
    """Every way of every type between steps that exist, by giver, taker and type."""
    found = set(_from_outside(topology))
    for name, info in topology.steps.items():
        if info.exists:
            for slot in info.contract.outputs:
                for given in slot.types:
                    found.update(_to_takers(topology, name, given, spreads=slot.many))
    return sorted(found, key=lambda e: (e.giver, e.taker or "", e.type))


def _from_outside(topology: Topology) -> Iterator[Edge]:
    for accepted in topology.accepted:
        yield from _to_takers(topology, OUTSIDE, accepted, spreads=False)


def _to_takers(topology: Topology, giver: str, given: TypeVersion, *, spreads: bool) -> Iterator[Edge]:
    takers = topology.consumers.get(given, ())
    for taker in takers:
        port = topology.steps[taker].port(given)
        yield Edge(giver, taker, given, spreads, port is not None and port[1].many)
    if not takers:
        yield Edge(giver, None, given, spreads, gathers=False)


def mermaid(topology: Topology) -> str:
    """A flowchart; a thick arrow is a fan-out or a fan-in."""
    lines = ["flowchart TD"]
    found = edges(topology)
    if any(edge.giver == OUTSIDE for edge in found):
        lines.append(f"    {OUTSIDE}([{OUTSIDE}])")
    lines += [f'    {_id(name)}["{name}"]' for name in _steps(topology)]
    for number, edge in enumerate(found):
        end = _id(edge.taker) if edge.taker is not None else f"end{number}(( ))"
        arrow = "==>" if edge.spreads or edge.gathers else "-->"
        lines.append(f'    {_id(edge.giver)} {arrow}|"{edge.name}{_said(edge)}"| {end}')
    return "\n".join(lines)


def dot(topology: Topology) -> str:
    """A digraph for Graphviz."""
    lines = ["digraph farandole {", "    rankdir=LR;", "    node [shape=box];"]
    found = edges(topology)
    if any(edge.giver == OUTSIDE for edge in found):
        lines.append(f'    "{OUTSIDE}" [shape=oval];')
    lines += [f'    "{name}";' for name in _steps(topology)]
    for number, edge in enumerate(found):
        end = edge.taker
        if end is None:
            end = f"end {number}"
            lines.append(f'    "{end}" [shape=point];')
        style = " style=bold" if edge.spreads or edge.gathers else ""
        lines.append(f'    "{edge.giver}" -> "{end}" [label="{edge.name}{_said(edge)}"{style}];')
    return "\n".join([*lines, "}"])


def shape(topology: Topology) -> dict[str, Any]:
    """Steps (with their settings), edges, and the types that are final."""
    return {
        "steps": [
            {
                "step": name,
                "exists": info.exists,
                "shape": info.contract.shape,
                "runs": info.contract.runs,
                "order_by": info.contract.order_by,
                "timeout": info.contract.timeout,
                "attempts": info.contract.attempts,
            }
            for name, info in sorted(topology.steps.items())
        ],
        "edges": [
            {
                "from": None if edge.giver == OUTSIDE else edge.giver,
                "to": edge.taker,
                "type": edge.type[0],
                "version": edge.type[1],
                "spreads": edge.spreads,
                "gathers": edge.gathers,
            }
            for edge in edges(topology)
        ],
        "final": [{"type": name, "version": version} for name, version in sorted(topology.final)],
    }


def _steps(topology: Topology) -> list[str]:
    return sorted(name for name, info in topology.steps.items() if info.exists)


def _said(edge: Edge) -> str:
    return ", one each" if edge.spreads else ", all" if edge.gathers else ""


def _id(name: str) -> str:
    return re.sub(r"\W", "_", name)
