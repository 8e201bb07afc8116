"""Where the missing members of an open group ended: follows each from its fan-out down to where it stopped."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from farandole.fold.state import ENDED, Delivery, Gathering, Node, Side
from farandole.fold.topology import Topology
from farandole.fold.workflow import Workflow

SHOWN = 10  # missing members that are named and followed; the others are counted

EndKind = Literal["owed", "retrying", "parked", "dead", "group", "leaf", "unconsumed", "final", "absent"]


@dataclass(frozen=True, slots=True)
class End:
    """How far a missing member came. owed, retrying, parked, dead: at this step, as this event, or as the full group
    `id` (then without a type).

    group: held in another open group at this step. leaf: the step published nothing more. unconsumed, final,
    absent: an event (an absence) that no step takes.
    """

    kind: EndKind
    step: str
    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A slot that nothing settled. `index`: None where the side as a whole is missing, its size unknown.

    `param`: the parameter, by name where a manifest tells it. `pending`: a dead letter's absence stands there.
    `ends`: where the member is now, as far as facts tell.
    """

    param: str
    index: int | None
    pending: bool
    ends: tuple[End, ...]


class Tracer:
    """Follows the members of one workflow's groups; what it needs for that, it looks up once."""

    def __init__(self, workflow: Workflow, topology: Topology) -> None:
        self._workflow, self._topology = workflow, topology
        self._children: dict[Delivery, list[Node]] = {}

    def missing(self, gathering: Gathering) -> tuple[tuple[Missing, ...], int]:
        """The first missing members of an open group, and how many are missing in all."""
        found: list[Missing] = []
        total = 0
        for param in range(max(gathering.count, *(known + 1 for known in gathering.sides))):
            side = gathering.sides.get(param)
            if side is not None and side.full:
                continue
            total += 1 if side is None else side.size - side.firm
            unsettled = [None] if side is None else _unsettled(side, SHOWN - len(found))
            found.extend(self._missing(gathering, param, side, index) for index in unsettled)
        return tuple(found[:SHOWN]), total

    def _missing(self, gathering: Gathering, param: int, side: Side | None, index: int | None) -> Missing:
        start: list[Node] | None = None
        if side is not None and index is not None and side.spread in self._workflow.spreads:
            member = self._workflow.spreads[side.spread].members.get(index)
            start = [member] if member is not None else []
        ends = self._ends(self._beginning(gathering) if start is None else start, gathering)
        name = self._name(gathering.step, param)
        pending = side is not None and index is not None and index in side.slots
        return Missing(name, index, pending, tuple(ends))

    def _name(self, step: str, param: int) -> str:
        info = self._topology.steps.get(step)
        ports = info.contract.inputs if info is not None else []
        return ports[param].name if param < len(ports) else str(param)

    def _beginning(self, gathering: Gathering) -> list[Node]:
        """Where everything in the group's scope descends from: a member of a fan-out, or the inputs."""
        if gathering.scope:
            level = gathering.scope[-1]
            spread = self._workflow.spreads.get(level.group)
            member = spread.members.get(level.index) if spread is not None else None
            return [member] if member is not None else []
        return [node for node in self._workflow.roots.values() if node.counted]

    def _ends(self, start: list[Node], gathering: Gathering) -> list[End]:
        stack, seen = list(start), set(start)
        ends: list[End] = []
        while stack and len(ends) < SHOWN:
            node = stack.pop()
            if node.loose or not (node.owing or node.deliveries):
                kind: EndKind = "unconsumed" if node.loose else "absent" if node.absent else "final"
                ends.append(End(kind, "", node.topic if node.absent else node.wire, node.id))
            ends.extend(End("owed", s, node.wire, node.id) for s in node.owing if s not in node.deliveries)
            for delivery in node.by_step():
                following = list(self._after(node, delivery, gathering, ends))
                stack.extend(n for n in following if n not in seen)
                seen.update(following)
        return ends[:SHOWN]

    def _after(self, node: Node, delivery: Delivery, gathering: Gathering, ends: list[End]) -> Iterator[Node]:
        """The events that came of a delivery; where none did, that is an end."""
        held, subject = delivery.fills, (node.wire, node.id)
        if held is gathering:
            return
        if held is not None:
            if held.standing == "open":
                ends.append(End("group", held.step, *subject))
                return
            delivery, subject = held.delivery or held.untold, ("", held.id)
        if delivery.state not in ENDED:
            kind: EndKind = delivery.state if delivery.state in ("retrying", "parked", "dead") else "owed"
            end = End(kind, delivery.step, *subject)
            if end not in ends:  # a full group is one end, whichever of its members leads there
                ends.append(end)
            return
        published = self._published(delivery)
        if not published:
            ends.append(End("leaf", delivery.step, node.wire, node.id))
        yield from published

    def _published(self, delivery: Delivery) -> list[Node]:
        if not self._children:
            for node in self._workflow.line:
                if node.by is not None:
                    self._children.setdefault(node.by, []).append(node)
        return self._children.get(delivery, [])


def _unsettled(side: Side, room: int) -> list[int | None]:
    found: list[int | None] = []
    for index in range(side.size):
        if len(found) >= room:
            break
        if side.slots.get(index) in (None, "pending"):
            found.append(index)
    return found
