"""What tests of single rooms of the runtime need: a plan, a crew that only notes, and records to take."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from farandole.events.codec import encode
from farandole.events.envelope import Envelope
from farandole.events.event import Event
from farandole.events.scope import Level, Scope
from farandole.log.ports import Lease
from farandole.log.record import NewRecord, Record
from farandole.runtime.compose import Prepared
from farandole.runtime.declare import AnyStep, Service
from farandole.runtime.delivery import FROM, Delivery, State
from farandole.runtime.outcome import Outcome
from farandole.runtime.partition import Partition
from farandole.runtime.plan import Plan

LIMIT = 1024 * 1024 + 64 * 1024


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.time = 1_000_000.0

    def now(self) -> float:
        return self.time


class Timer:
    """A timer that only a test lets go off."""

    def __init__(self, delay: float, call: Callable[[], None]) -> None:
        self.delay, self.call, self.cancelled = delay, call, False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Crew:
    """Notes what it is asked to do. Every source is known but those that begin with `out`."""

    ready_ones: list[Delivery] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    time: float = 0.0

    def ready(self, delivery: Delivery) -> None:
        delivery.state = State.RUNNING
        self.ready_ones.append(delivery)

    def finished(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def later(self, delay: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(delay, call))
        return self.timers[-1]

    def clock(self) -> float:
        return self.time

    def foreign(self, source: str) -> bool:
        return source.startswith("out")

    def taken(self) -> list[Outcome]:
        """The outcomes so far, which are then gone."""
        taken, self.outcomes = self.outcomes, []
        return taken


class Room:
    """One partition of a step, a crew, and a log's end."""

    def __init__(self, step: AnyStep) -> None:
        self.plan = Plan(step, "0", "here", Clock(), LIMIT, 2)
        self.crew = Crew()
        lease = Lease(self.plan.producer, self.plan.leased, 0, 1)
        self.partition = Partition(self.plan, lease, self.crew)
        self.offsets: dict[str, int] = {}

    def take(self, event: Event | None = None, *, id: str = "", source: str = "in/step", **more: Any) -> Delivery:
        """The next record of the leased topic: an event in an envelope, or whatever `record` says."""
        record = more.pop("record", None) or self.record(event, id=id, source=source, **more)
        self.partition.take(record, self.crew.time)
        taken = self.partition.inflight[record.topic]
        return taken[record.offset]

    def record(self, event: Event | None, *, id: str = "", source: str = "in/step", **more: Any) -> Record:
        """A record of the leased topic, with the next offset."""
        assert event is not None
        kind = type(event).event_type
        topic = more.pop("topic", self.plan.leased)
        offset = self.offsets[topic] = self.offsets.get(topic, -1) + 1
        envelope = Envelope(
            id=id or f"{kind.name}-{offset}",
            source=source,
            type=more.pop("type", kind.name),
            version=more.pop("version", kind.version),
            data=more.pop("data", event.data()),
            key=event.order_key,
            workflow=more.pop("workflow", "w"),
            scope=more.pop("scope", ()),
        )
        parts = encode(envelope)
        headers = parts.headers
        if topic == self.plan.inbox:
            headers = (*headers, (FROM, f"{kind.name}/0/{offset}".encode()))
        return Record(topic, 0, offset, self.plan.clock.now(), parts.key, parts.value, headers)

    def prepare(self, outcomes: Iterable[Outcome] | None = None, *, age: float = -1.0) -> Prepared:
        """What a commit of these outcomes (all so far) would write."""
        taken = self.crew.taken() if outcomes is None else list(outcomes)
        return Prepared(self.plan, self.partition, taken, self.plan.clock.now(), age)

    def commit(self, outcomes: Iterable[Outcome] | None = None, *, age: float = -1.0) -> Prepared:
        """Make it durable."""
        prepared = self.prepare(outcomes, age=age)
        prepared.apply()
        return prepared


def outputs(prepared: Prepared, topic: str) -> list[NewRecord]:
    """What a commit writes to one topic."""
    return [new for new in prepared.unit.outputs if new.topic == topic]


def member(index: int, size: int, group: str = "group", outer: Scope = ()) -> Scope:
    """The scope of a member."""
    return (*outer, Level(group, index, size))


def declare(fn: Callable[..., Any], **options: Any) -> AnyStep:
    """A step of a service of its own."""
    step: AnyStep = Service("shop").step(**options)(fn)
    return step
