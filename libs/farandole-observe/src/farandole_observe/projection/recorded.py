"""A record of the log as a projection is given it: its event read, or why it cannot be."""

from collections.abc import Callable, Collection
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import ValidationError

from farandole.events.codec import decode
from farandole.events.envelope import Envelope
from farandole.events.errors import DecodeError
from farandole.events.event import Event, explain
from farandole.events.ids import workflow_id
from farandole.log.record import Record

E_co = TypeVar("E_co", bound=Event, covariant=True)


class Recorded(NamedTuple, Generic[E_co]):
    """An event with its metadata. `time`: when the log took it, seconds since the epoch, UTC; never falling within a
    partition. `place`: topic, partition, offset. The envelope always names its workflow.
    """

    event: E_co
    envelope: Envelope
    time: float
    place: tuple[str, int, int]


class Unread(NamedTuple):
    """A record that is no event of the projection's, though it stands in one of its topics."""

    place: tuple[str, int, int]
    reason: str


Read = Callable[[Record], Recorded[Any] | Unread | None]
"""None: an absence, which says that an event will not come."""


def reader_of(classes: Collection[type[Event]]) -> Read:
    """Reads records of these classes' topics as a step would: by type and version, and ignoring unknown fields."""
    views = {(found.event_type.name, found.event_type.version): found for found in classes}

    def read(record: Record) -> Recorded[Any] | Unread | None:
        try:
            envelope = decode(record.key, record.value, record.headers)
        except DecodeError as error:
            return Unread(record.place, str(error))
        if envelope.is_absence:
            return None
        view = views.get((envelope.type, envelope.version))
        if view is None or envelope.type != record.topic:
            known = " or ".join(f"{name}.v{version}" for name, version in sorted(views) if name == record.topic)
            return Unread(record.place, f"{envelope.type}.v{envelope.version}, where {known} is known")
        try:
            event = view.read(envelope.data)
        except ValidationError as error:
            return Unread(record.place, explain(error))
        if not envelope.workflow:
            envelope = envelope._replace(workflow=workflow_id(envelope.source, envelope.id))
        return Recorded(event, envelope, record.time, record.place)

    return read
