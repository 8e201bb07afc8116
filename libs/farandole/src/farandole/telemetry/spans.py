"""What a trace is made of: plain spans, each from one fact and from what that hangs on. No clock, no OpenTelemetry.

Who runs a step and who reads the log afterwards call the same functions, so their spans cannot differ.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from farandole.events import topics
from farandole.events.envelope import ABSENT
from farandole.events.facts import Fact
from farandole.events.ids import Derivation, root_span_id, send_span_id, span_id, trace_id, twin_span_id
from farandole.telemetry import conventions as names
from farandole.telemetry.redact import hide_logins

Kind = Literal["consumer", "producer", "internal"]
Value = str | int | float | Sequence[int]

ENDINGS = frozenset({"completed", "retrying", "dead", "held"})
"""Facts that tell of an attempt: each is one span. The others tell what became of a delivery between attempts."""

CONFLICT = "id-conflict"
"""Reason of a dead letter: a second record under one identity."""

LINKS = 20_000
"""Members of a group that its span links to at most: a receiver refuses more than 4 MB. The count is in the span."""

_ABSENCE = f"{ABSENT}.v1"


class Context(NamedTuple):
    """A span somewhere, as W3C Trace Context names it: 32 and 16 hex digits."""

    trace: str
    span: str


class Link(NamedTuple):
    """A span that another one has to do with."""

    to: Context
    attributes: Mapping[str, Value]


class Span(NamedTuple):
    """One span. `parent`: the span's id in the same trace, empty for a root. Times are nanoseconds since the epoch.

    `error`: why it failed, None where it did not. `exception`: type and text of what was raised.
    `service`, `version` and `worker` tell who did it.
    """

    context: Context
    parent: str
    name: str
    kind: Kind
    started: int
    finished: int
    attributes: Mapping[str, Value]
    links: tuple[Link, ...] = ()
    error: str | None = None
    exception: tuple[str, str] | None = None
    service: str = names.SCOPE
    version: str = ""
    worker: str = ""


class Origin(NamedTuple):
    """What takes an event hangs on `parent`, a span of its workflow's trace; `outside`: what else it was sent in."""

    parent: str
    outside: Context | None = None


class Member(NamedTuple):
    """An event of a group."""

    id: str
    origin: Origin


class Input(NamedTuple):
    """An event that began a workflow, or joined it from outside. `time`: its append time, seconds."""

    type: str
    time: float
    outside: Context | None = None


def origin_of(traceparent: str | None, workflow: str) -> Origin:
    """The origin of an event whose record has this header: a span of its own trace, or the workflow's root."""
    if not traceparent:
        return Origin(root_span_id(workflow))
    trace, span = traceparent[3:35], traceparent[36:52]
    if trace == trace_id(workflow):
        return Origin(span)
    return Origin(root_span_id(workflow), Context(trace, span))


def delivery_of(fact: Fact) -> str:
    """The id of the delivery that a fact of an event, or of a group, tells of."""
    if fact.group is not None:
        return fact.group.delivery
    assert fact.event is not None
    parent = fact.event.source, fact.event.id
    return Derivation((parent,), f"{fact.service}/{fact.step}", fact.generation).delivery


def attempt_span_id(fact: Fact) -> str:
    """The id of the span of the attempt that a fact tells of; what it published names it as its parent."""
    if fact.event is not None and fact.reason == CONFLICT:
        return twin_span_id(delivery_of(fact), fact.attempt, fact.event.at)
    return span_id(delivery_of(fact), fact.attempt)


def spans(fact: Fact, origin: Origin, members: Sequence[Member] = ()) -> Iterator[Span]:
    """All spans of one fact: of the attempt that it tells of, and of each event that this published.

    `origin`: of its event, or of its group's first member; `members`: its group's, by parameter and index.
    """
    if fact.fact in ENDINGS:
        yield attempt_span(fact, origin, members)
    if fact.fact in ENDINGS or fact.fact == "continued":
        yield from send_spans(fact)


def attempt_span(fact: Fact, origin: Origin, members: Sequence[Member] = ()) -> Span:
    """The span of an attempt; see `spans`."""
    trace, step = trace_id(fact.workflow), f"{fact.service}/{fact.step}"
    held = fact.fact == "held"
    operation = "hold" if held else "process"
    topic = fact.event.at[0] if fact.event is not None else topics.inbox(fact.service, fact.step)
    started, finished = _times(fact)
    error, exception = _error(fact)
    attributes: dict[str, Value] = {
        names.SYSTEM: names.SCOPE,
        names.OPERATION_NAME: operation,
        names.OPERATION_TYPE: "receive" if held else "process",
        names.DESTINATION: topic,
        names.CONSUMER_GROUP: step,
        names.CONVERSATION: fact.workflow,
        names.STEP: step,
        names.DELIVERY: delivery_of(fact),
        names.ATTEMPT: fact.attempt,
        names.ENDING: fact.fact,
        **_taken(fact),
        **_extra(fact),
    }
    if error is not None:
        attributes[names.ERROR_TYPE] = fact.error.kind if fact.error is not None else fact.reason
    return Span(
        Context(trace, attempt_span_id(fact)),
        origin.parent,
        f"{operation} {topic if fact.event is not None else step}",
        "consumer",
        started,
        finished,
        attributes,
        tuple(_links(fact, trace, origin, members)),
        error,
        exception,
        fact.service,
        fact.version,
        fact.worker,
    )


def send_spans(fact: Fact) -> Iterator[Span]:
    """One span for each event that an attempt published, at the attempt's end; of a long fan-out, of this slice."""
    trace, step = trace_id(fact.workflow), f"{fact.service}/{fact.step}"
    parent, (_, at) = attempt_span_id(fact), _times(fact)
    for event_id, wire, topic, more in published(fact):
        attributes: dict[str, Value] = {
            names.SYSTEM: names.SCOPE,
            names.OPERATION_NAME: "send",
            names.OPERATION_TYPE: "send",
            names.DESTINATION: topic,
            names.MESSAGE_ID: event_id,
            names.CONVERSATION: fact.workflow,
            names.EVENT_ID: event_id,
            names.EVENT_SOURCE: step,
            names.EVENT_TYPE: wire,
            **more,
        }
        about = (fact.service, fact.version, fact.worker)
        span = Context(trace, send_span_id(step, event_id))
        yield Span(span, parent, f"send {topic}", "producer", at, at, attributes, (), None, None, *about)


def published(fact: Fact) -> Iterator[tuple[str, str, str, dict[str, Value]]]:
    """Each output of a fact: id, type with version, topic, and what a span says beside these."""
    for out in fact.outputs:
        if "absent" in out:
            yield out["id"], _ABSENCE, out["type"], {}
        elif "group" in out:
            yield from _members(fact, out)
        elif "id" in out:
            yield out["id"], out["type"], _topic(out["type"]), _key(out.get("key"))


def root_span(workflow: str, inputs: Sequence[Input], ended: float) -> Span:
    """The span of a whole workflow, from its first input to its end (seconds); at least one input is known."""
    first = min(inputs, key=lambda i: i.time)
    started = _nanoseconds(first.time)
    outside = dict.fromkeys(i.outside for i in inputs if i.outside is not None)
    return Span(
        Context(trace_id(workflow), root_span_id(workflow)),
        "",
        f"workflow {_topic(first.type)}",
        "internal",
        started,
        max(started, _nanoseconds(ended)),
        {names.CONVERSATION: workflow},
        tuple(Link(context, {names.LINK: "outside"}) for context in outside),
    )


def _members(fact: Fact, out: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Value]]]:
    """Members of a fan-out: their ids follow from the index."""
    wires, kinds, start = out["types"], out.get("of"), out.get("start", 0)
    make_id = Derivation.of(delivery_of(fact)).event
    for index, key in enumerate(out["keys"], start):
        wire = wires[kinds[index - start] if kinds is not None else 0]
        more: dict[str, Value] = {names.GROUP: out["group"], names.INDEX: index, **_key(key)}
        yield make_id(out["slot"], index), wire, _topic(wire), more


def _taken(fact: Fact) -> dict[str, Value]:
    """What the attempt took: an event and its place, or a group."""
    if fact.event is not None:
        _, partition, offset = fact.event.at
        found: dict[str, Value] = {
            names.MESSAGE_ID: fact.event.id,
            names.EVENT_ID: fact.event.id,
            names.EVENT_SOURCE: fact.event.source,
            names.EVENT_TYPE: fact.event.type,
            names.PARTITION: str(partition),
            names.OFFSET: offset,
        }
        if fact.fills is not None:
            found |= {names.GROUP: fact.fills.group, names.INDEX: fact.fills.index}
        return found
    assert fact.group is not None
    group: dict[str, Value] = {names.GROUP: fact.group.id, names.BATCH_COUNT: fact.group.count}
    return group | ({names.ABSENT: tuple(fact.group.absent)} if fact.group.absent else {})


def _extra(fact: Fact) -> dict[str, Value]:
    said: dict[str, Value] = {names.REASON: fact.reason, names.DUE: fact.due, names.GENERATION: fact.generation}
    return {name: value for name, value in said.items() if value}


def _links(fact: Fact, trace: str, origin: Origin, members: Sequence[Member]) -> Iterator[Link]:
    for event_id, (parent, outside) in members[:LINKS]:
        yield Link(outside or Context(trace, parent), {names.MESSAGE_ID: event_id})
    if fact.event is not None and origin.outside is not None:
        yield Link(origin.outside, {names.LINK: "outside", names.MESSAGE_ID: fact.event.id})
    if fact.attempt > 1:
        before = span_id(delivery_of(fact), fact.attempt - 1)
        yield Link(Context(trace, before), {names.LINK: "previous attempt"})


def _error(fact: Fact) -> tuple[str | None, tuple[str, str] | None]:
    if fact.fact not in ("retrying", "dead"):
        return None, None
    if fact.error is None:
        return fact.reason, None
    text = hide_logins(fact.error.text)
    return f"{fact.error.kind}: {text}" if text else fact.error.kind, (fact.error.kind, text)


def _times(fact: Fact) -> tuple[int, int]:
    """Start and end; of what never ran, the moment at which the log took the event."""
    began = fact.started or (fact.event.time if fact.event is not None else 0.0)
    started = _nanoseconds(began)
    return started, max(started, _nanoseconds(fact.finished))


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e6) * 1000  # of times in our days a double tells microseconds, no more


def _topic(wire: str) -> str:
    name, mark, _ = wire.rpartition(".v")
    return name if mark else wire


def _key(key: str | None) -> dict[str, Value]:
    return {} if key is None else {names.KEY: key}
