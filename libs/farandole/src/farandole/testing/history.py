"""A log read raw: every record, as an outsider finds it who knows nothing of those that wrote it."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import NamedTuple

from farandole.events.codec import decode
from farandole.events.envelope import Envelope
from farandole.events.errors import DecodeError
from farandole.events.facts import FACTS, Fact, read_facts
from farandole.events.ids import Parent
from farandole.events.manifest import Manifest, StepManifest
from farandole.events.topics import JOURNAL, MANIFESTS
from farandole.log.ports import Log
from farandole.log.reading import to_the_end
from farandole.log.record import Record, Span, TopicPartition
from farandole.testing.stories import Story, Told, stories_of

_SYSTEM = ("farandole.",)
_OF_STEPS = (".inbox", ".state", ".dlq")


class Found(NamedTuple):
    """A record of an event's topic; `envelope` is None where it cannot be decoded."""

    record: Record
    envelope: Envelope | None

    @property
    def identity(self) -> Parent:
        """(source, id); of what cannot be decoded its place."""
        if self.envelope is not None:
            return self.envelope.identity
        return Parent(f"log:{self.record.topic}/{self.record.partition}", str(self.record.offset))


@dataclass(frozen=True)
class History:
    """All that a log holds, and how far its groups came."""

    records: Mapping[str, list[Record]]
    spans: Mapping[TopicPartition, Span] = field(default_factory=dict)
    committed: Mapping[str, Mapping[TopicPartition, int]] = field(default_factory=dict)

    @cached_property
    def manifests(self) -> list[Manifest]:
        """The latest manifest of each service version."""
        found = (decode(r.key, r.value, r.headers) for r in self.records.get(MANIFESTS, ()))
        return [Manifest.model_validate_json(envelope.data) for envelope in found]

    @cached_property
    def steps(self) -> dict[str, StepManifest]:
        """Every step, by `service/step`."""
        return {f"{m.service}/{step.name}": step for m in self.manifests for step in m.steps}

    @cached_property
    def told(self) -> list[Told]:
        """The facts, by time; those of one workflow in their order."""
        found = [
            Told(fact, record.time, (record.partition, record.offset, index))
            for record in self.records.get(JOURNAL, ())
            for index, fact in enumerate(_facts(record))
        ]
        return sorted(found, key=lambda told: (told.time, told.place))

    @cached_property
    def stories(self) -> dict[tuple[str, Hashable], Story]:
        """Every delivery, by step and by the place of its event or the id of its group, with the generation."""
        return stories_of(self.told)

    @cached_property
    def events(self) -> dict[str, list[Found]]:
        """The records of events' topics, by topic, in order per partition."""
        names = [name for name in self.records if not name.startswith(_SYSTEM) and not name.endswith(_OF_STEPS)]
        return {name: [_found(record) for record in self.records[name]] for name in names}

    def taken_by(self, step: StepManifest) -> list[Found]:
        """What a step takes, in order per partition."""
        topics = dict.fromkeys(name for name, _ in sorted(step.consumed))
        return [found for topic in topics for found in self.events.get(topic, ())]

    def trace(self) -> str:
        """A hash of everything: equal only for histories that are alike to the last byte."""
        digest = blake2b(digest_size=16)
        for topic in sorted(self.records):
            for record in self.records[topic]:
                digest.update(repr(tuple(record)).encode())
        return digest.hexdigest()


async def read_history(log: Log, groups: Iterable[str] = ()) -> History:
    """Read everything that stands in the log now; `groups`: those whose positions count."""
    names = [spec.name for spec in await log.topics()]
    records: dict[str, list[Record]] = {name: [] for name in names}
    reader = await log.reader(names)
    try:
        async for batch in to_the_end(log, reader, names, limit=10_000):
            for record in batch:
                records[record.topic].append(record)
    finally:
        await reader.close()
    for kept in records.values():
        kept.sort(key=lambda record: (record.partition, record.offset))
    committed = {group: await log.committed(group) for group in groups}
    return History(records, await log.spans(names), committed)


def _found(record: Record) -> Found:
    try:
        return Found(record, decode(record.key, record.value, record.headers))
    except DecodeError:
        return Found(record, None)


def _facts(record: Record) -> list[Fact]:
    envelope = decode(record.key, record.value, record.headers)
    return read_facts(envelope.data) if envelope.type == FACTS else []
