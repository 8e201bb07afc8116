"""A delivery and what it knows of itself while it is owed; plain state, moved by the partition that holds it."""

from enum import Enum
from typing import Any

from farandole.events.codec import decode
from farandole.events.envelope import Envelope
from farandole.events.errors import BadInput, DecodeError
from farandole.events.ids import Derivation, Parent, stray_workflow_id
from farandole.log.hooks import Attempt
from farandole.log.record import Record
from farandole.runtime.gather import Group

FROM = "fd-from"
"""Header of a forwarded record: where it was published, `topic/partition/offset`."""


class State(Enum):
    """Where a delivery stands between its record's arrival and its outcome."""

    READY = "open"
    RUNNING = "running"
    RETRY = "retry"
    PARKED = "parked"
    DEAD = "dead"
    DONE = "done"


class Delivery:
    """One event, or one closed group, given to one step.

    `topic` and `offset` tell its record in the lease; `place` where it was first published. `attempt` is the
    number of the next (or running) attempt; `spent` those used up before the last redrive. `row`: the key of its
    row while it has one in the log.
    """

    # Defaults on the class: a delivery is made for every record, and most need only what `__init__` sets.
    envelope: Envelope | None = None
    error: BadInput | None = None
    lane: str | None = None
    attempt = 1
    spent = 0
    state = State.READY
    row: str | None = None
    from_within = False  # a step of this dance wrote it, so its trace is its workflow's
    due = 0.0
    received = 0.0
    reason = ""
    behind = ""
    timer: Any = None
    full = 0.0  # of a group: when it lacked nothing more, by the log's clock
    told: Attempt | None = None  # the last attempt that telemetry heard of
    _ids: Derivation | None = None

    def __init__(self, partition: Any, producer: str, *, record: Record | None = None, group: Group | None = None):
        self.partition = partition
        self.producer = producer
        self.record = record
        self.group = group
        if record is None:
            self.topic, self.offset, self.place = "", -1, ("", -1, -1)
            return
        self.topic, number, self.offset, _, key, value, headers = record
        self.place = (self.topic, number, self.offset)
        try:
            self.envelope = decode(key, value, headers)
        except DecodeError as error:
            self.error = error

    @property
    def ids(self) -> Derivation:
        """Its id, and the ids of all that it gives; they follow from its parents."""
        if self._ids is None:
            self._ids = self._derive()
        return self._ids

    def _derive(self) -> Derivation:
        if self.group is not None:
            return self.group.derivation(self.producer)
        envelope = self.envelope
        if envelope is not None:
            return Derivation(((envelope.source, envelope.id),), self.producer, envelope.generation)
        topic, partition, offset = self.place
        return Derivation((Parent(f"log:{topic}/{partition}", str(offset)),), self.producer)

    @property
    def workflow(self) -> str:
        """The workflow it belongs to; a record that cannot be decoded is one of its own."""
        if self.group is not None:
            return self.group.workflow
        return self.envelope.workflow if self.envelope is not None else stray_workflow_id(*self.place)

    @property
    def since(self) -> float:
        """When its event was written to the log, or its group was full; seconds since the epoch."""
        return self.full if self.record is None else self.record.time

    @property
    def key(self) -> str:
        """Key of the row that stands for it."""
        if self.group is not None:
            return f"g:{self.group.key}"
        return f"d:{self.offset}" if self.topic == self.partition.plan.leased else f"i:{self.offset}"


def origin(record: Record) -> tuple[str, int, int]:
    """Where an inbox's record was first published: what the forwarder noted, else its own place."""
    for name, raw in reversed(record.headers):
        if name == FROM and raw:
            topic, _, rest = raw.decode("utf-8", "replace").partition("/")
            partition, _, offset = rest.partition("/")
            if partition.isdecimal() and offset.isdecimal():
                return topic, int(partition), int(offset)
    return record.place
