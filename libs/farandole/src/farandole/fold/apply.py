"""What a fact does to its workflow; each kind of fact has its place here, and a repeated one changes nothing."""

from typing import Any, NamedTuple

from farandole.events.envelope import ABSENT, Envelope
from farandole.events.facts import EventRef, Fact, Fills, GroupRef, Place
from farandole.events.ids import Derivation, Parent
from farandole.events.scope import Level, Scope
from farandole.fold.state import ENDED, EXPLAINED, RECORDED, Attempt, Delivery, Gathering, Node, Spread, State
from farandole.fold.workflow import Shared, Workflow, type_of

_NEXT: dict[str, State] = {
    "completed": "completed",
    "retrying": "retrying",
    "dead": "dead",
    "held": "held",
    "parked": "parked",
    "redriven": "owed",
    "discarded": "discarded",
    "cancelled": "cancelled",
}
_RANK = {"parked": 0, "retrying": 1, "dead": 1, "redriven": 2}  # of one attempt, this is the order of its facts
_TIMED = ("completed", "retrying", "dead")
_CONFLICT = "id-conflict"  # reason of a second record under the same identity; it is a delivery of its own
_ABSENCE = f"{ABSENT}.v1"
_STRAY = "log:"  # source of a record that cannot be decoded: log:topic/partition


class _Line(NamedTuple):
    """What the outputs of one delivery have in common; `parent` is its event, None where it was a group's."""

    by: Delivery
    cause: str
    scope: Scope
    parent: Node | None = None


def apply_fact(workflow: Workflow, fact: Fact, time: float, shared: Shared) -> None:
    """Fold one fact in. `time`: append time of its journal record, seconds."""
    step = f"{fact.service}/{fact.step}"
    if fact.group is not None:
        _apply_to_group(workflow, fact, fact.group, time, step=step, shared=shared)
    elif fact.event is not None:
        _apply_to_event(workflow, fact, fact.event, time, step=step, shared=shared)
    else:
        shared.unplaced += 1


def apply_input(workflow: Workflow, envelope: Envelope, place: Place, time: float, shared: Shared) -> None:
    """Fold in a record of an accepted type's topic, appended at `time`, seconds; see `Fold.apply_input`."""
    identity = envelope.source, envelope.id
    node = workflow.nodes.get(identity)
    if node is None:
        node = Node(*identity, "", "")
        workflow.nodes[identity] = workflow.roots[identity] = node
    if node.known == EXPLAINED:
        node.place = place
        workflow.touch(node)
    elif node.known != RECORDED or (time, place) < (node.time, node.place or place):
        workflow.withdraw(node)
        _record(node, envelope, place, time)
        workflow.enter(node, shared.topology)


def _apply_to_event(workflow: Workflow, fact: Fact, ref: EventRef, time: float, *, step: str, shared: Shared) -> None:
    node = workflow.nodes.get((ref.source, ref.id)) or _cited(workflow, ref)
    delivery = _delivery(workflow, node, fact, ref, step=step, shared=shared)
    if fact.fact == "dead" and not delivery.id:
        delivery.id = event_delivery(node, delivery)
    _move(workflow, delivery, fact, time, shared)
    if fact.fills is not None and fact.reason != "closed" and not fact.fills.forwarded:
        _fill(workflow, fact.fills, node, delivery, time)
    if fact.outputs:
        scope = node.scope if delivery.fills is None else delivery.fills.scope or ()  # a join speaks for its group
        _publish(workflow, fact.outputs, _Line(delivery, node.id, scope, node), shared)


def _apply_to_group(workflow: Workflow, fact: Fact, ref: GroupRef, time: float, *, step: str, shared: Shared) -> None:
    gathering = _gathering(workflow, step, ref.id)
    delivery = gathering.delivery
    if delivery is None:
        delivery = Delivery(step, fact.generation, id=ref.delivery, group=ref.id)
        gathering.delivery = workflow.begin(delivery)
        workflow.restand(gathering)
    _move(workflow, delivery, fact, time, shared)
    if fact.outputs:
        _publish(workflow, fact.outputs, _Line(delivery, ref.delivery, gathering.scope or ()), shared)


def event_delivery(node: Node, delivery: Delivery) -> str:
    """The id of an event's delivery."""
    return Derivation((Parent(node.source, node.id),), delivery.step, delivery.generation).delivery


# -- deliveries ---------------------------------------------------------------------------------------------


def _cited(workflow: Workflow, ref: EventRef) -> Node:
    """An event of which so far only a delivery is known."""
    topic = ref.at[0]
    if ref.source.startswith(_STRAY):
        topic = ref.source[len(_STRAY) :].rpartition("/")[0]
    node = Node(ref.source, ref.id, topic, ref.type, time=ref.time, absent=type_of(ref.type)[0] == ABSENT)
    workflow.nodes[ref.source, ref.id] = workflow.roots[ref.source, ref.id] = node
    return node


def _delivery(workflow: Workflow, node: Node, fact: Fact, ref: EventRef, *, step: str, shared: Shared) -> Delivery:
    """The delivery that a fact of this event means: the step's first known one, or one beside it."""
    key, known = step, node.deliveries.get(step)
    if known is not None:
        if known.generation != fact.generation:
            key = f"{step}\x1f{fact.generation}"
        elif known.at != ref.at and (known.twin or fact.reason == _CONFLICT):
            key = f"{step}\x1f{fact.generation}\x1f{ref.at}"
        elif known.at != ref.at:
            key = next((k for k, d in node.deliveries.items() if d.step == step and d.at == ref.at), step)
        known = node.deliveries.get(key)
    if known is None:
        workflow.withdraw(node)
        known = node.deliveries[key] = workflow.begin(Delivery(step, fact.generation, ref.at, key=key), node)
        known.twin = fact.reason == _CONFLICT
        node.place = node.place or ref.at
        workflow.enter(node, shared.topology)
    return known


def _move(workflow: Workflow, delivery: Delivery, fact: Fact, time: float, shared: Shared) -> None:
    state = _NEXT.get(fact.fact)
    delivery.since = delivery.since or fact.finished or time
    if state is None or delivery.state in ENDED:
        return
    rank = _RANK.get(fact.fact)
    if rank is not None:
        before, now = (delivery.attempt, delivery.rank), (fact.attempt, rank)
        if now < before or (now == before and rank):
            return
        delivery.attempt, delivery.rank = now
    _note(delivery, fact, time)
    if fact.fact in _TIMED and fact.started:
        error = "" if fact.fact == "completed" else delivery.error
        ran = Attempt(fact.attempt, fact.started, fact.finished, fact.worker, fact.version, state, error)
        workflow.ran(delivery, ran)
    workflow.move(delivery, state, shared)


def _note(delivery: Delivery, fact: Fact, time: float) -> None:
    delivery.attempt = max(delivery.attempt, fact.attempt)
    delivery.since = fact.finished or time
    delivery.due = fact.due
    delivery.behind = fact.behind
    delivery.reason = fact.reason
    delivery.partition = fact.partition
    if fact.error is not None:
        delivery.error = f"{fact.error.kind}: {fact.error.text}" if fact.error.text else fact.error.kind


# -- groups -------------------------------------------------------------------------------------------------


def _gathering(workflow: Workflow, step: str, group: str) -> Gathering:
    gathering = workflow.gatherings.get((step, group))
    if gathering is None:
        gathering = workflow.gatherings[step, group] = Gathering(step, group)
    return gathering


def _fill(workflow: Workflow, fills: Fills, node: Node, delivery: Delivery, time: float) -> None:
    gathering = _gathering(workflow, delivery.step, fills.group)
    since = delivery.since or time
    gathering.since = gathering.since or since
    gathering.take(fills, node.scope, since)
    delivery.fills, delivery.slot = gathering, fills
    workflow.restand(gathering)


# -- outputs ------------------------------------------------------------------------------------------------


def _publish(workflow: Workflow, outputs: list[dict[str, Any]], line: _Line, shared: Shared) -> None:
    for out in outputs:
        if "absent" in out:
            node = _node(workflow, line, out["id"])
            node.absent, node.pending, node.topic = True, bool(out.get("pending")), out["type"]
            _explain(workflow, node, line, _ABSENCE, shared=shared)
        elif "group" in out:
            _spread(workflow, out, line, shared)
        elif "id" in out:  # what a later version may add is not ours to read
            node = _node(workflow, line, out["id"])
            node.key = out.get("key")
            _explain(workflow, node, line, out["type"], shared=shared)


def _spread(workflow: Workflow, out: dict[str, Any], line: _Line, shared: Shared) -> None:
    """A slice of a fan-out; the ids of its members follow from the index."""
    group, count, slot = out["group"], out["count"], out["slot"]
    spread = workflow.spreads.get(group)
    if spread is None:
        spread = workflow.spread(Spread(group, line.by, count))
    delivery = event_delivery(line.parent, line.by) if line.parent is not None else line.by.id
    wires, kinds, make_id, start = out["types"], out.get("of"), Derivation.of(delivery).event, out.get("start", 0)
    for index, key in enumerate(out["keys"], start):
        if index in spread.members:
            continue
        node = spread.members[index] = _node(workflow, line, make_id(slot, index))
        node.key = key
        wire = wires[kinds[index - start] if kinds is not None else 0]
        _explain(workflow, node, line, wire, level=Level(group, index, count), shared=shared)
        workflow.unread -= 1


def _node(workflow: Workflow, line: _Line, event_id: str) -> Node:
    node = workflow.nodes.get((line.by.step, event_id))
    return node or Node(line.by.step, event_id, "", "")


def _explain(
    workflow: Workflow, node: Node, line: _Line, wire: str, *, shared: Shared, level: Level | None = None
) -> None:
    """The event stands in a fact of the delivery that published it."""
    if node.known == EXPLAINED:
        return
    identity = node.source, node.id
    workflow.withdraw(node)
    workflow.roots.pop(identity, None)
    workflow.nodes[identity] = node
    node.line = len(workflow.line)
    workflow.line.append(node)
    node.wire = wire
    node.topic = node.topic if node.absent else type_of(wire)[0]
    node.scope = line.scope if level is None else (*line.scope, level)
    node.time, node.cause, node.by, node.known = line.by.since, line.cause, line.by, EXPLAINED
    workflow.enter(node, shared.topology)


def _record(node: Node, envelope: Envelope, place: Place, time: float) -> None:
    node.topic, node.wire = place[0], f"{envelope.type}.v{envelope.version}"
    node.key, node.scope, node.cause = envelope.key, envelope.scope, envelope.cause or ""
    node.absent = envelope.is_absence
    node.time, node.place, node.known = time, (place[0], place[1], place[2]), RECORDED
