"""A workflow of the fold as rows of the tables, and back; the one place that knows both."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Table

from farandole.events.facts import Fills, Place
from farandole.events.scope import read_scope, scope_text
from farandole.fold.state import (
    EXPLAINED,
    Attempt,
    Delivery,
    Gathering,
    Node,
    Spread,
    Touched,
)
from farandole.fold.workflow import Shared, Workflow
from farandole_observe.store import tables

Row = tuple[Any, ...]
Rows = dict[Table, list[Row]]
"""By table, with a value for each of its columns, in their order."""

_NO_PLACE = (None, None, None)


@dataclass(slots=True, eq=False)
class Kept:
    """A workflow of a store: what the fold knows of it, and what the tables hold of it.

    `events`, `deliveries`: how many numbers were given. `owed`: of each event the deliveries that are owed and that
    no fact names yet, by step; `full`: of full groups the same, by step and group.
    """

    workflow: Workflow
    shard: int
    events: int = 0
    deliveries: int = 0
    owed: dict[int, dict[str, int]] = field(default_factory=dict)
    full: dict[tuple[str, str], int] = field(default_factory=dict)

    def number(self) -> int:
        """A delivery's, given to none before."""
        self.deliveries += 1
        return self.deliveries - 1


def changed_rows(kept: Kept, shared: Shared, topology: str) -> tuple[Rows, list[tuple[str, int]]]:
    """What has to be written of a workflow, and which deliveries (workflow, number) are owed no more.

    `topology`: the digest of what the counts were made under. Numbers are given to what has none yet; afterwards
    nothing is touched.
    """
    workflow = kept.workflow
    touched = workflow.touched
    assert touched is not None
    workflow.touched = Touched()
    _number(kept, touched)
    rows: Rows = {}
    gone: list[tuple[str, int]] = []
    owed = rows[tables.deliveries] = []
    for node in touched.nodes:
        gone.extend((workflow.id, number) for number in _owed_rows(kept, node, owed))
    for gathering in touched.gatherings:
        gone.extend((workflow.id, number) for number in _full_rows(kept, gathering, owed))
    rows[tables.events] = [_event_row(workflow.id, node) for node in touched.nodes]
    owed.extend(_delivery_row(workflow.id, delivery) for delivery in touched.deliveries)
    rows[tables.attempts] = [(workflow.id, d.row, n, *d.attempts[n]) for d, n in touched.attempts]
    rows[tables.groups] = [_group_row(workflow.id, gathering) for gathering in touched.gatherings]
    rows[tables.spreads] = [(workflow.id, s.group, s.by.row, s.count) for s in touched.spreads]
    rows[tables.workflows] = [_workflow_row(kept, shared, topology)]
    return rows, gone


def _number(kept: Kept, touched: Touched) -> None:
    for node in touched.nodes:
        if node.row < 0:
            node.row = kept.events
            kept.events += 1
    for delivery, event in touched.deliveries.items():
        if event is not None:
            delivery.event = event.row
        if delivery.row < 0:
            number = _waiting(kept, delivery)
            delivery.row = kept.number() if number is None else number


def _waiting(kept: Kept, delivery: Delivery) -> int | None:
    """The number that it had while no fact named it."""
    if delivery.group:
        return kept.full.pop((delivery.step, delivery.group), None)
    waiting = kept.owed.get(delivery.event)
    return waiting.pop(delivery.step, None) if waiting else None


def _owed_rows(kept: Kept, node: Node, rows: list[Row]) -> Iterable[int]:
    """Adds what the event is owed and no fact names yet; the numbers of what it is owed no more."""
    wanted = [step for step in node.owing if step not in node.deliveries]
    known = kept.owed.get(node.row)
    if not wanted and not known:
        return ()
    numbers = dict[str, int]()
    for step in wanted:
        number = known.pop(step, None) if known else None
        numbers[step] = number = kept.number() if number is None else number
        owed = Delivery(step, since=node.time, row=number, event=node.row)
        rows.append(_delivery_row(kept.workflow.id, owed, told=False))
    if numbers:
        kept.owed[node.row] = numbers
    else:
        kept.owed.pop(node.row, None)
    return known.values() if known else ()


def _full_rows(kept: Kept, gathering: Gathering, rows: list[Row]) -> Iterable[int]:
    """Adds what a full group owes while no fact names it; the number of what it owes no more."""
    identity = gathering.step, gathering.id
    number = kept.full.pop(identity, None)
    if gathering.standing != "owed":
        return () if number is None else (number,)
    untold = gathering.untold
    untold.row = kept.full[identity] = kept.number() if number is None else number
    rows.append(_delivery_row(kept.workflow.id, untold, told=False))
    return ()


def _event_row(workflow: str, node: Node) -> Row:
    return (
        workflow,
        node.row,
        node.source,
        node.id,
        node.topic,
        node.wire,
        node.key,
        node.time,
        node.known,
        node.absent,
        node.pending,
        scope_text(node.scope),
        node.cause,
        None if node.by is None else node.by.row,
        node.line,
        bool(node.loose),
        bool(node.counted),
        *(node.place or _NO_PLACE),
    )


def _delivery_row(workflow: str, delivery: Delivery, *, told: bool = True) -> Row:
    return (
        workflow,
        delivery.row,
        None if delivery.event < 0 else delivery.event,
        delivery.key or delivery.step,
        delivery.step,
        delivery.generation,
        told,
        delivery.state,
        delivery.attempt,
        delivery.rank,
        delivery.since,
        delivery.due,
        delivery.error,
        delivery.reason,
        delivery.behind,
        delivery.partition,
        delivery.id,
        delivery.twin,
        delivery.group,
        None if delivery.slot is None else delivery.slot.model_dump_json(exclude_defaults=True),
        *(delivery.at or _NO_PLACE),
    )


def _group_row(workflow: str, gathering: Gathering) -> Row:
    present = sum(side.firm for side in gathering.sides.values())
    missing = sum(max(0, side.size - side.firm) for side in gathering.sides.values() if not side.lacking)
    standing = gathering.standing or "closed"
    return workflow, gathering.step, gathering.id, gathering.count, present, missing, gathering.since, standing


def _workflow_row(kept: Kept, shared: Shared, topology: str) -> Row:
    workflow = kept.workflow
    tallies = workflow.tallies.values()
    return (
        workflow.id,
        kept.shard,
        workflow.standing(moves=workflow.goes_on(shared)),
        workflow.started,
        workflow.updated,
        any(n.counted and n.source in shared.topology.steps for n in workflow.roots.values()),
        workflow.counted,
        sum(t.count["completed"] + t.count["discarded"] + t.count["cancelled"] for t in tallies),
        sum(t.count["owed"] + t.count["retrying"] + t.count["parked"] + t.gathering for t in tallies),
        sum(t.count["dead"] for t in tallies),
        len(workflow.parked),
        topology,
        kept.events,
        kept.deliveries,
    )


# -- back ---------------------------------------------------------------------------------------------------


def restored(found: dict[Table, Sequence[Row]], shared: Shared) -> Kept:
    """The workflow whose rows these are, one of `tables.workflows` among them; counted under `shared`'s topology."""
    ((name, shard, _, started, updated, *_, events, deliveries),) = found[tables.workflows]
    workflow = Workflow(name, started=started, updated=updated, epoch=shared.epoch)
    kept = Kept(workflow, shard, events, deliveries)
    nodes = {row[1]: _node(row) for row in found[tables.events]}
    given = {row[1]: row[13] for row in found[tables.events]}
    known = _deliveries(kept, found, nodes)
    for number, by in given.items():
        nodes[number].by = None if by is None else known[by]
    _put_events(workflow, list(nodes.values()))
    for _, group, by, count in found[tables.spreads]:
        workflow.spread(Spread(group, known[by], count))
    _put_members(workflow)
    _put_deliveries(workflow, known, nodes, found[tables.groups])
    for node in nodes.values():
        workflow.enter(node, shared.topology)
    workflow.touched = Touched()
    _dead(workflow, known.values(), shared, 1)
    return kept


def let_go(kept: Kept, shared: Shared) -> None:
    """The workflow is kept in the tables alone from now on."""
    deliveries = [d for node in kept.workflow.nodes.values() for d in node.deliveries.values()]
    deliveries.extend(g.delivery for g in kept.workflow.gatherings.values() if g.delivery is not None)
    _dead(kept.workflow, deliveries, shared, -1)


def _dead(workflow: Workflow, deliveries: Iterable[Delivery], shared: Shared, by: int) -> None:
    if not any(tally.count["dead"] for tally in workflow.tallies.values()):
        return
    for delivery in deliveries:
        if delivery.state == "dead":
            count = shared.dead.get(delivery.id, 0) + by
            shared.dead[delivery.id] = count
            if not count:
                del shared.dead[delivery.id]


def _node(row: Row) -> Node:
    (_, number, source, event_id, topic, wire, key, time, known, absent, pending, scope, cause, _, line, *_) = row
    return Node(
        source,
        event_id,
        topic,
        wire,
        key,
        time,
        known,
        bool(absent),
        bool(pending),
        read_scope(scope),
        cause,
        _place(row),
        line=line,
        row=number,
    )


def _deliveries(kept: Kept, found: dict[Table, Sequence[Row]], nodes: dict[int, Node]) -> dict[int, Delivery]:
    known: dict[int, Delivery] = {}
    for row in sorted(found[tables.deliveries], key=lambda r: int(r[1])):
        delivery, told = _delivery(row)
        if not told and delivery.group:
            kept.full[delivery.step, delivery.group] = delivery.row
            continue
        if not told:
            kept.owed.setdefault(delivery.event, {})[delivery.step] = delivery.row
            continue
        known[delivery.row] = delivery
        if delivery.event >= 0:
            nodes[delivery.event].deliveries[delivery.key] = delivery
    for row in sorted(found[tables.attempts], key=lambda r: (int(r[1]), int(r[2]))):
        known[row[1]].attempts.append(Attempt(*row[3:]))
    return known


def _delivery(row: Row) -> tuple[Delivery, bool]:
    (_, number, event, key, step, generation, told, state, attempt, rank, since, due, error, reason, *rest) = row
    behind, partition, delivery_id, twin, group, slot, *_ = rest
    delivery = Delivery(
        step,
        generation,
        _place(row),
        state,
        attempt,
        rank,
        since,
        due,
        error,
        reason,
        behind,
        partition,
        delivery_id,
        group,
        bool(twin),
        slot=None if slot is None else Fills.model_validate(from_json(slot)),
        row=number,
        event=-1 if event is None else event,
        key=key,
    )
    return delivery, bool(told)


def _place(row: Row) -> Place | None:
    topic, partition, offset = row[-3:]
    return None if topic is None else (topic, partition, offset)


def _put_events(workflow: Workflow, nodes: list[Node]) -> None:
    for node in nodes:
        identity = node.source, node.id
        workflow.nodes[identity] = node
        if node.known != EXPLAINED:
            workflow.roots[identity] = node
    workflow.line.extend(sorted((n for n in nodes if n.known == EXPLAINED), key=lambda n: n.line))


def _put_members(workflow: Workflow) -> None:
    for node in workflow.line:
        spread = workflow.spreads.get(node.scope[-1].group) if node.scope else None
        if spread is not None and spread.by is node.by:
            spread.members[node.scope[-1].index] = node
            workflow.unread -= 1


def _put_deliveries(
    workflow: Workflow, known: dict[int, Delivery], nodes: dict[int, Node], groups: Sequence[Row]
) -> None:
    for _, step, group, sides, _, _, since, _ in groups:
        workflow.gatherings[step, group] = Gathering(step, group, sides, since=since)
    closed = defaultdict[tuple[str, str], list[Delivery]](list)
    for delivery in known.values():
        workflow.tally(delivery.step).count[delivery.state] += 1
        for ran in delivery.attempts:
            workflow.tally(delivery.step).time(max(0.0, ran.finished - ran.started))
        if delivery.state == "parked":
            workflow.parked.add(delivery)
        if delivery.group:
            closed[delivery.step, delivery.group].append(delivery)
        if delivery.slot is not None:
            gathering = workflow.gatherings[delivery.step, delivery.slot.group]
            gathering.take(delivery.slot, nodes[delivery.event].scope, delivery.since)
            delivery.fills = gathering
    for identity, gathering in workflow.gatherings.items():
        gathering.delivery = next(iter(closed.get(identity, ())), None)
        workflow.restand(gathering)
