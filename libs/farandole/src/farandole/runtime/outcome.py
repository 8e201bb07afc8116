"""How an attempt ended, as the records, facts and row that commit with it; no log is touched here."""

from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import to_json

from farandole.events import ids
from farandole.events.codec import Headers, encode
from farandole.events.envelope import ABSENT, Envelope
from farandole.events.errors import IdConflict, RecordRefused
from farandole.events.event import EventType, explain
from farandole.events.facts import Out
from farandole.events.limits import HEADER_COUNT_LIMIT
from farandole.events.scope import Level, Scope
from farandole.log.record import NewRecord
from farandole.runtime.absence import Why
from farandole.runtime.bind import OutSlot
from farandole.runtime.delivery import Delivery
from farandole.runtime.given import Given, Item, event_type
from farandole.runtime.plan import ROOM_FOR_HEADERS, Plan

Ending = Literal["completed", "held", "retrying", "dead", "dropped", "redriven", "discarded", "parked"]
ABSENCE = EventType(ABSENT, 1, None, False)
ERROR_LIMIT = 2000  # characters of an error's text in facts and headers
KEYS_SLICE = 1000  # keys of a fan-out in one fact; a longer list continues in the next


class Outcome:
    """Everything that commits together for one delivery.

    `rows`: changes of the step's rows, None deletes. `settles`: the delivery's record needs no row any more.
    `attempt`: which one it ends; the delivery's own number moves on with a retry. `sampled`: what its records say of
    their trace; None where nobody needed to know.
    """

    __slots__ = (
        "attempt", "delivery", "ending", "error", "facts", "finished", "records", "rows", "sampled", "settles",
        "started",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - bare, for one is made for every delivery
        self,
        delivery: Delivery,
        ending: Ending,
        records: list[NewRecord] | None = None,
        facts: list[dict[str, Any]] | None = None,
        rows: dict[str, bytes | None] | None = None,
        *,
        settles: bool = True,
        started: float = 0.0,
        finished: float = 0.0,
        error: BaseException | None = None,
        sampled: bool | None = None,
    ) -> None:
        self.delivery, self.ending, self.attempt, self.sampled = delivery, ending, delivery.attempt, sampled
        self.records = [] if records is None else records
        self.facts = [] if facts is None else facts
        self.rows = {} if rows is None else rows
        self.settles, self.started, self.finished, self.error = settles, started, finished, error

    @property
    def reason(self) -> str:
        """Why its delivery is a dead letter."""
        return self.delivery.reason

    @property
    def workflow(self) -> str:
        """The workflow of its delivery."""
        return self.delivery.workflow


def completed(plan: Plan, delivery: Delivery, given: Given, started: float, finished: float) -> Outcome:
    """The outcome of an attempt that gave something. Raises RecordRefused where an output is too large."""
    envelope = delivery.envelope
    if plan.sole is not None and envelope is not None and given[0].__class__ is Item:
        return _one_of_one(plan, delivery, envelope, given[0], started, finished)
    line = _Line(plan, delivery)
    slots = plan.step.signature.slots
    for number, part in enumerate(given):
        slot = slots[number]
        if part is None:
            line.absences(number, slot, Why())
        elif isinstance(part, list):
            line.fan_out(number, slot, part)
        else:
            line.single(number, event_type(slot, part), part)
    facts = _completed_facts(plan, delivery, line.outs, started, finished)
    return Outcome(delivery, "completed", line.records, facts, started=started, finished=finished)


def _one_of_one(
    plan: Plan, delivery: Delivery, envelope: Envelope, item: Item, started: float, finished: float
) -> Outcome:
    """`completed` where one event gave one event, as nearly always: what the general way gives, in half the time."""
    kind = plan.sole
    assert kind is not None
    _, key, data = item
    _check_size(plan, kind, data)
    derivation = delivery.ids
    event_id = derivation.event(0)
    workflow, scope, generation = envelope.workflow, envelope.scope, envelope.generation
    trace = _trace(plan, delivery, envelope, workflow)
    about = (workflow, envelope.id, scope, generation, trace, None, ())
    raw_key, value, headers = encode(
        tuple.__new__(Envelope, (event_id, plan.producer, kind.name, kind.version, data, key, *about))
    )
    record = tuple.__new__(NewRecord, (kind.name, value, raw_key, headers, None))
    told = fact(plan, delivery, "completed", started=started, finished=finished)
    told["outputs"] = [{"slot": 0, "type": plan.sole_wire, "id": event_id, "key": key}]
    sampled = trace[-1] == "1"  # the flags of a `traceparent`
    return Outcome(delivery, "completed", [record], [told], started=started, finished=finished, sampled=sampled)


def _trace(plan: Plan, delivery: Delivery, envelope: Envelope | None, workflow: str) -> str:
    """The `traceparent` of what the present attempt gives."""
    if delivery.from_within and envelope is not None and envelope.traceparent:
        trace = envelope.traceparent[3:35]
    else:
        trace = ids.trace_id(workflow)
    span = ids.span_id(delivery.ids.delivery, delivery.attempt)
    if delivery.error.__class__ is IdConflict:
        span = ids.twin_span_id(delivery.ids.delivery, delivery.attempt, delivery.place)
    return ids.traceparent(trace, span, sampled=plan.ratio >= 1.0 or ids.is_sampled(trace, plan.ratio))


def _check_size(plan: Plan, kind: EventType, data: bytes) -> None:
    if len(data) + ROOM_FOR_HEADERS > plan.record_limit:
        raise RecordRefused(
            f"{kind.name} has {len(data)} bytes of data; the log takes {plan.record_limit}: "
            "put the content into an asset (ctx.save) and publish its name"
        )


def forwarded(plan: Plan, delivery: Delivery, why: Why) -> Outcome:
    """The outcome of a delivery of an absence, or of a join that lacks a side: no user code runs."""
    line = _all_absent(plan, delivery, why)
    now = plan.clock.now()
    return Outcome(delivery, "completed", line.records, _completed_facts(plan, delivery, line.outs, now, now))


def absences(
    plan: Plan, delivery: Delivery, why: Why, *, teller: Delivery | None = None
) -> tuple[list[NewRecord], list[Out]]:
    """What a dead letter inside a group publishes (pending: its group waits), and what its discard does.

    `teller`: the delivery whose attempt says so, where that is another one.
    """
    line = _all_absent(plan, delivery, why, teller)
    return line.records, line.outs


def _all_absent(plan: Plan, delivery: Delivery, why: Why, teller: Delivery | None = None) -> "_Line":
    line = _Line(plan, delivery, teller)
    for number, slot in enumerate(plan.step.signature.slots):
        line.absences(number, slot, why)
    return line


class _Line:
    """The outputs of one delivery: their records, how facts name them, and what they have in common."""

    __slots__ = ("_cause", "_delivery", "_generation", "_plan", "_scope", "_trace", "_workflow", "outs", "records")

    def __init__(self, plan: Plan, delivery: Delivery, teller: Delivery | None = None) -> None:
        self._plan, self._delivery = plan, delivery
        self.records: list[NewRecord] = []
        self.outs: list[Out] = []
        self._workflow = workflow = delivery.workflow
        group, envelope = delivery.group, delivery.envelope
        self._trace = _trace(plan, teller or delivery, envelope, workflow)
        self._scope: Scope = ()
        self._generation, self._cause = 0, None
        if group is not None:
            self._scope, self._generation = group.scope, group.generation
            self._cause = delivery.ids.delivery
        elif envelope is not None:
            self._scope, self._generation, self._cause = envelope.scope, envelope.generation, envelope.id

    def single(self, number: int, kind: EventType, item: Item) -> None:
        """One event in a slot of its own."""
        event_id = self._delivery.ids.event(number)
        self._write(kind.name, kind, item, event_id, self._scope)
        self.outs.append({"slot": number, "type": kind.wire, "id": event_id, "key": item.key})

    def fan_out(self, number: int, slot: OutSlot, items: list[Item]) -> None:
        """A group of its own; an empty one says so on every topic of the slot."""
        group, size = self._delivery.ids.group(number), len(items)
        if not items:
            empty = (*self._scope, Level(group, 0, 0))
            for declared in slot.types:
                self._absence(number, declared.event_type, Why(), empty)
            return
        make_id = self._delivery.ids.event
        for index, item in enumerate(items):
            kind = event_type(slot, item)
            self._write(kind.name, kind, item, make_id(number, index), (*self._scope, Level(group, index, size)))
        wires = [t.event_type.wire for t in slot.types]
        for start in range(0, size, KEYS_SLICE):
            part = items[start : start + KEYS_SLICE]
            out: Out = {"slot": number, "group": group, "count": size, "types": wires}
            if start:
                out["start"] = start
            if len(wires) > 1:
                out["of"] = [item.kind for item in part]
            out["keys"] = [item.key for item in part]
            self.outs.append(out)

    def absences(self, number: int, slot: OutSlot, why: Why) -> None:
        """Say, inside a group, on every topic of a slot that nothing will come (yet)."""
        if self._scope:
            deeper = why._replace(depth=why.depth + slot.many)
            for declared in slot.types:
                self._absence(number, declared.event_type, deeper, self._scope)

    def _absence(self, number: int, kind: EventType, why: Why, scope: Scope) -> None:
        event_id = self._delivery.ids.absent(number, kind.name, "pending" if why.pending else "")
        envelope = self._delivery.envelope
        key = envelope.key if envelope is not None and envelope.key else self._delivery.workflow
        item = Item(0, key, why.data(kind.name))
        self._write(kind.name, ABSENCE, item, event_id, scope)
        out: Out = {"slot": number, "type": kind.name, "id": event_id, "absent": why.depth + 1}
        if why.pending:
            out["pending"] = True
        self.outs.append(out)

    def _write(self, topic: str, kind: EventType, item: Item, event_id: str, scope: Scope) -> None:
        _check_size(self._plan, kind, item.data)
        about = (self._workflow, self._cause, scope, self._generation, self._trace, None, ())
        parts = (event_id, self._plan.producer, kind.name, kind.version, item.data, item.key, *about)
        key, value, headers = encode(tuple.__new__(Envelope, parts))
        self.records.append(tuple.__new__(NewRecord, (topic, value, key, headers, None)))


def fact(plan: Plan, delivery: Delivery, kind: str, **more: Any) -> dict[str, Any]:
    """A fact about a delivery, with all that names it."""
    group, envelope = delivery.group, delivery.envelope
    entry: dict[str, Any] = {
        "fact": kind,
        "workflow": delivery.workflow,
        "attempt": delivery.attempt,
        **plan.named,
    }
    if group is not None:
        entry["group"] = {
            "id": group.key,
            "delivery": delivery.ids.delivery,
            "count": group.count,
            "absent": group.absent(),
            "digest": group.digest(),
        }
        generation = group.generation
    else:
        entry["event"] = _event_ref(delivery)
        generation = envelope.generation if envelope is not None else 0
    if generation:
        entry["generation"] = generation
    entry.update(more)
    return entry


def _event_ref(delivery: Delivery) -> dict[str, Any]:
    envelope, record = delivery.envelope, delivery.record
    when = record.time if record is not None else 0.0
    if envelope is not None:
        wire = f"{envelope.type}.v{envelope.version}"
        return {"source": envelope.source, "id": envelope.id, "type": wire, "time": when, "at": delivery.place}
    topic, partition, offset = delivery.place
    return {"source": f"log:{topic}/{partition}", "id": str(offset), "type": "", "time": when, "at": delivery.place}


def error_of(plan: Plan, error: BaseException) -> dict[str, str]:
    """An error as a fact tells it: its kind, and what it says; never a payload, nor a secret."""
    remote = getattr(error, "kind", None)
    said = explain(error) if isinstance(error, ValidationError) else str(error)
    text = plan.secrets.hide(said)[:ERROR_LIMIT].encode("utf-8", "replace").decode()  # half a surrogate pair is no JSON
    return {"kind": remote if isinstance(remote, str) else type(error).__name__, "text": text}


def dead_letter(plan: Plan, delivery: Delivery, reason: str, error: BaseException) -> NewRecord:
    """The dlq record: original bytes with reason headers; of a group, who is in it."""
    about: list[tuple[str, bytes | None]] = [
        ("fd-reason", reason.encode()),
        ("fd-error", _header("{kind}: {text}".format(**error_of(plan, error)))),
        ("fd-step", plan.producer.encode()),
        ("fd-delivery", delivery.ids.delivery.encode()),
        ("fd-workflow", _header(delivery.workflow)),
        ("fd-attempt", b"%d" % delivery.attempt),
    ]
    record = delivery.record
    if record is None:
        group = delivery.group
        body = to_json({"group": group.key, "count": group.count}) if group is not None else b"{}"
        return NewRecord(plan.dlq, body, None, tuple(about))
    topic, partition, offset = delivery.place
    about.append(("fd-place", f"{topic}/{partition}/{offset}".encode()))
    original: Headers = record.headers
    if len(original) > HEADER_COUNT_LIMIT or sum(len(n) + len(v or b"") for n, v in original) > 8192:
        original = ()  # hazard: headers of any size or number must not make the dlq refuse; the place still names them
    size = len(record.value or b"") + len(record.key or b"") + 16_384
    value = record.value if size <= plan.record_limit else b""
    key = record.key if len(record.key or b"") <= 1024 else None
    return NewRecord(plan.dlq, value, key, (*original, *about))


def _header(text: str) -> bytes:
    return text[:ERROR_LIMIT].encode("utf-8", "replace")


def _completed_facts(
    plan: Plan, delivery: Delivery, outs: list[Out], started: float, finished: float
) -> list[dict[str, Any]]:
    entry = fact(plan, delivery, "completed", started=started, finished=finished)
    first = outs if len(outs) == 1 else [out for out in outs if "start" not in out]
    if first:
        entry["outputs"] = first
    if len(first) == len(outs):
        return [entry]
    times = {"started": started, "finished": finished}
    return [entry, *(fact(plan, delivery, "continued", **times, outputs=[out]) for out in outs if "start" in out)]
