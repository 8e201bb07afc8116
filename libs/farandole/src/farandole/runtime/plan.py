"""`Plan`: a step bound to the names, limits and clock it runs with; made once, read on the hot path."""

from dataclasses import dataclass, field
from typing import NamedTuple

from farandole.events import topics
from farandole.events.event import EventType
from farandole.log.ports import Clock
from farandole.runtime.bind import EventClass
from farandole.runtime.declare import AnyStep
from farandole.telemetry.redact import Secrets

ROOM_FOR_HEADERS = 4096  # bytes of a record that an output's key, value and scope may not use


class View(NamedTuple):
    """Which parameter takes a (type, version), and the class that reads it."""

    param: int
    event: EventClass


@dataclass(frozen=True)
class Plan:
    """All that is fixed while a step runs.

    `worker` names the process in facts; `ratio`: share of traces kept; `secrets`: what no error may repeat.
    """

    step: AnyStep
    service_version: str
    worker: str
    clock: Clock
    record_limit: int
    journal_partitions: int
    ratio: float = 1.0
    secrets: Secrets = field(default_factory=Secrets)
    views: dict[tuple[str, int], View] = field(init=False)
    taken: frozenset[str] = field(init=False)
    producer: str = field(init=False)
    inbox: str = field(init=False)
    state: str = field(init=False)
    dlq: str = field(init=False)
    leased: str = field(init=False)
    sole: EventType | None = field(init=False)
    """What the step gives, where that is one event of one type; `sole_wire` as it stands on the wire."""
    sole_wire: str = field(init=False)
    named: dict[str, str] = field(init=False)
    """What every fact of the step says alike."""

    def __post_init__(self) -> None:
        step, put = self.step, object.__setattr__
        put(self, "producer", step.producer)
        sole = step.signature.sole_out.event_type if step.signature.sole_out else None
        put(self, "sole", sole)
        put(self, "sole_wire", sole.wire if sole else "")
        about = {"service": step.service, "step": step.name, "version": self.service_version, "worker": self.worker}
        put(self, "named", about)
        put(self, "inbox", topics.inbox(step.service, step.name))
        put(self, "state", topics.state(step.service, step.name))
        put(self, "dlq", topics.dead_letters(step.service))
        views = {
            (t.event_type.name, t.event_type.version): View(n, t)
            for n, param in enumerate(step.signature.params)
            for t in param.types
        }
        put(self, "views", views)
        put(self, "taken", frozenset(name for name, _ in views))
        put(self, "leased", self.inbox if step.fed_by_inbox else step.signature.topics[0])
