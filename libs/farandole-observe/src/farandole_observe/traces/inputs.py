"""What the records of events say of where these came from: read along with the journal, or looked up by their place."""

from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import NamedTuple

from farandole.events.codec import decode
from farandole.events.envelope import Envelope
from farandole.events.errors import ConfigError, DecodeError
from farandole.events.facts import Place
from farandole.fold import Topology
from farandole.log.ports import Log, Reader
from farandole.log.reading import to_the_end
from farandole.log.record import Record

_REMEMBERED = 100_000  # records of inputs that are kept until somebody asks for them; others are looked up
_STRAY = "log:"  # source of a record that cannot be decoded


class Cited(NamedTuple):
    """An event as facts name it; in a log that was copied it stands at another place."""

    source: str
    id: str
    place: Place


class Seen(NamedTuple):
    """What the record of an event says: its `traceparent`, and when the log took it (seconds)."""

    traceparent: str | None
    time: float


async def look_at(log: Log, cited: Cited) -> Seen | None:
    """What the record at its place says; None where that is gone, or another event's. Raises LogError."""
    try:
        record = await log.fetch(*cited.place) if cited.place[2] >= 0 else None
    except ConfigError:  # this log does not have its topic, or not that partition: it was copied, in part
        return None
    if record is None:
        return None
    envelope = _decoded(record)
    if envelope is None:
        return Seen(None, record.time) if cited.source.startswith(_STRAY) else None
    return Seen(envelope.traceparent, record.time) if envelope.identity == cited[:2] else None


class Inputs:
    """The accepted inputs of a log, read on as far as somebody asks."""

    def __init__(self, log: Log, topology: Topology) -> None:
        self._log, self._topology = log, topology
        self._known: OrderedDict[tuple[str, str], tuple[Place, Seen]] = OrderedDict()
        self._reader: Reader | None = None
        self._rest: AsyncIterator[list[Record]] | None = None

    async def look(self, cited: Cited) -> Seen | None:
        """What the record of an event says; None where it is gone. Raises LogError."""
        if cited.source not in self._topology.steps and not cited.source.startswith(_STRAY):
            while cited[:2] not in self._known and await self._read_on():
                pass
            found = self._known.get(cited[:2])
            if found is not None and found[0] == cited.place:
                return found[1]
            if found is not None:  # another record of the same identity, or its copy
                return await look_at(self._log, cited) or found[1]
        return await look_at(self._log, cited)

    async def close(self) -> None:
        """Give back what it holds."""
        if self._reader is not None:
            await self._reader.close()

    async def _read_on(self) -> bool:
        topics = sorted(self._topology.accepted_topics)
        if self._rest is None and topics:
            self._reader = await self._log.reader(topics)
            self._rest = to_the_end(self._log, self._reader, topics)
        records = None if self._rest is None else await anext(self._rest, None)
        for record in records or ():
            self._note(record)
        return records is not None

    def _note(self, record: Record) -> None:
        envelope = _decoded(record)
        if envelope is None or envelope.source in self._topology.steps:
            return
        self._known.setdefault((envelope.source, envelope.id), (record.place, Seen(envelope.traceparent, record.time)))
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def _decoded(record: Record) -> Envelope | None:
    try:
        return decode(record.key, record.value, record.headers)
    except DecodeError:
        return None
