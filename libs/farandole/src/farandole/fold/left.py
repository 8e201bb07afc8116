"""What is left of a workflow: who owes what since when, what stands dead, and which members are missing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from farandole.fold.apply import event_delivery
from farandole.fold.missing import Missing, Tracer
from farandole.fold.state import ENDED, Delivery, Gathering, Node, Spread
from farandole.fold.workflow import Shared, Workflow, delivery_moves

LeftKind = Literal["owed", "retrying", "dead", "parked", "group", "unconsumed", "unread"]


@dataclass(frozen=True, slots=True)
class Left:
    """One thing that keeps a workflow from being complete.

    owed: a step has yet to give an outcome. retrying: due again at `due`. dead: set aside, for `reason`.
    parked: behind the dead letter `behind`. group: open, waits for members. unconsumed: an event that no step
    takes. unread: members of a fan-out that facts have not named yet.

    `step`: `service/step`, the producer of what is unconsumed or unread. `source`, `id`, `type`, `key`: the
    event. `partition`: of the lease of what is dead. `group`: the group or join whose delivery, or members, it is;
    `present` of its members are settled, `missing` are not, and `members` names the first of these. `since`,
    `due`: seconds. `moves`: by itself.
    """

    kind: LeftKind
    step: str
    moves: bool
    since: float
    delivery: str = ""
    source: str = ""
    id: str = ""
    type: str = ""
    key: str | None = None
    attempt: int = 0
    due: float | None = None
    reason: str = ""
    error: str = ""
    behind: str = ""
    partition: int | None = None
    group: str = ""
    present: int = 0
    missing: int = 0
    members: tuple[Missing, ...] = ()

    @property
    def service(self) -> str:
        """The service that owes it."""
        return self.step.partition("/")[0]


def left_of(workflow: Workflow, nodes: Iterable[Node], shared: Shared) -> Iterator[Left]:
    """Everything left, events in the order given, then groups by their age."""
    for node in nodes:
        yield from _of_event(node, shared)
    tracer = Tracer(workflow, shared.topology)
    for gathering in sorted(workflow.gatherings.values(), key=lambda g: (g.since, g.step, g.id)):
        yield from _of_group(gathering, tracer, shared)
    for group, spread in sorted(workflow.spreads.items()):
        if len(spread.members) < spread.count:
            yield _unread(workflow, group, spread)


def _unread(workflow: Workflow, group: str, spread: Spread) -> Left:
    present = len(spread.members)
    return Left(
        kind="unread",
        step=spread.by.step,
        moves=True,
        since=workflow.updated,
        group=group,
        present=present,
        missing=spread.count - present,
    )


def _of_event(node: Node, shared: Shared) -> Iterator[Left]:
    for step in node.owing:
        if step not in node.deliveries:
            delivery = Delivery(step, since=node.time)
            yield _entry(delivery, shared, node=node)
    for delivery in node.by_step():
        if delivery.state not in ENDED:
            yield _entry(delivery, shared, node=node)
    if node.loose:
        yield Left(
            kind="unconsumed",
            step=node.source,
            moves=False,
            since=node.time,
            source=node.source,
            id=node.id,
            type=node.wire,
            key=node.key,
        )


def _of_group(gathering: Gathering, tracer: Tracer, shared: Shared) -> Iterator[Left]:
    delivery = gathering.untold if gathering.standing == "owed" else gathering.delivery
    if delivery is not None:
        if delivery.state not in ENDED:
            yield _entry(delivery, shared, gathering=gathering)
        return
    members, missing = tracer.missing(gathering)
    yield Left(
        kind="group",
        step=gathering.step,
        moves=False,
        since=gathering.since,
        group=gathering.id,
        present=_present(gathering),
        missing=missing,
        members=members,
    )


def _present(gathering: Gathering) -> int:
    return sum(side.firm for side in gathering.sides.values())


def _entry(delivery: Delivery, shared: Shared, *, node: Node | None = None, gathering: Gathering | None = None) -> Left:
    state = delivery.state
    kind: LeftKind = state if state in ("retrying", "dead", "parked") else "owed"
    retrying, dead, parked = state == "retrying", state == "dead", state == "parked"
    derived = event_delivery(node, delivery) if node is not None and not delivery.id else delivery.id
    return Left(
        kind=kind,
        step=delivery.step,
        moves=delivery_moves(delivery, shared),
        since=delivery.since,
        delivery=derived,
        source=node.source if node is not None else "",
        id=node.id if node is not None else "",
        type=node.wire if node is not None else "",
        key=node.key if node is not None else None,
        attempt=delivery.attempt,
        due=delivery.due if retrying else None,
        reason=delivery.reason if dead else "",
        error=delivery.error if retrying or dead else "",
        behind=delivery.behind if parked else "",
        partition=delivery.partition if dead else None,
        group=gathering.id if gathering is not None else "",
        present=_present(gathering) if gathering is not None else 0,
    )
