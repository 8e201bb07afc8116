"""The topics of a cluster: which there are, what they accept, and where a record goes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from farandole.engines.memory.handle import Handle
from farandole.engines.memory.partition import CompactedPartition, Partition, PlainPartition
from farandole.events.errors import ConfigError, RecordRefused
from farandole.log.partitioner import partition_of
from farandole.log.pruning import check_prunable
from farandole.log.record import NewRecord, Place, Span, TopicPartition, TopicSpec

RECORD_LIMIT = 1024 * 1024 + 64 * 1024
"""Bytes of key, value and headers of one record: an event's data at its largest, and room for the rest."""


class Topics:
    """Topics by name. Nothing here waits, so whatever one call writes appears at once."""

    def __init__(self) -> None:
        self._specs: dict[str, TopicSpec] = {}
        self._partitions: dict[str, list[Partition]] = {}

    def ensure(self, wanted: Sequence[TopicSpec]) -> list[str]:
        """Create what does not exist, all or nothing; the names created. Raises ConfigError."""
        created: dict[str, TopicSpec] = {}
        for spec in wanted:
            if spec.partitions < 1:
                raise ConfigError(f"topic {spec.name!r}: {spec.partitions} partitions; it needs at least one")
            there = self._specs.get(spec.name) or created.setdefault(spec.name, spec)
            if there != spec:
                raise ConfigError(f"topic {spec.name!r} exists as {_shape(there)}, not as {_shape(spec)}; "
                                  "declare it as it is, or use another topic")  # fmt: skip
        for name, spec in created.items():
            kind = CompactedPartition if spec.compacted else PlainPartition
            self._specs[name] = spec
            self._partitions[name] = [kind() for _ in range(spec.partitions)]
        return list(created)

    def specs(self) -> list[TopicSpec]:
        """Every topic, by name."""
        return [self._specs[name] for name in sorted(self._specs)]

    def spec(self, name: str) -> TopicSpec:
        """One topic's shape. Raises ConfigError where it does not exist."""
        spec = self._specs.get(name)
        if spec is None:
            raise ConfigError(f"topic {name!r} does not exist; create it with `ensure`")
        return spec

    def partitions(self, name: str) -> Sequence[Partition]:
        """The partitions of a topic, none where it does not exist."""
        return self._partitions.get(name, ())

    def at(self, topic: str, number: int) -> Partition:
        """One partition. Raises ConfigError where it does not exist."""
        partitions = self.partitions(topic)
        if not 0 <= number < len(partitions):
            raise ConfigError(f"topic {topic!r} has no partition {number}; it has {len(partitions)}")
        return partitions[number]

    def spans(self, names: Iterable[str]) -> dict[TopicPartition, Span]:
        """Start and end of every partition of those topics that exist."""
        return {
            (name, number): Span(partition.start, partition.end)
            for name in names
            for number, partition in enumerate(self.partitions(name))
        }

    def prune(self, before: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Remove what lies before these offsets, or nothing; where each begins now. Raises ConfigError."""
        spans = self.spans({topic for topic, _ in before})
        check_prunable(before, spans, {name for name, spec in self._specs.items() if spec.compacted})
        for (topic, number), offset in before.items():
            self.at(topic, number).cut(offset)
        return {place: self.at(*place).start for place in before}

    def check(self, records: Iterable[NewRecord]) -> None:
        """Raise RecordRefused where one of them cannot be written."""
        for new in records:
            if reason := self._refusal(new):
                raise RecordRefused(f"topic {new.topic!r}: {reason}")

    def write(self, records: Iterable[NewRecord], handle: Handle, now: float) -> Iterator[Place]:
        """Write records that were checked, one after the other; where each went."""
        for new in records:
            partitions = self._partitions[new.topic]
            number = self._number(new, len(partitions), handle)
            yield Place(new.topic, number, partitions[number].write(new, number, now))

    def _refusal(self, new: NewRecord) -> str | None:
        spec = self._specs.get(new.topic)
        if spec is None:
            return "it does not exist; create it with `ensure`"
        if new.partition is not None and not 0 <= new.partition < spec.partitions:
            return f"it has no partition {new.partition}; give one below {spec.partitions}, or none"
        if spec.compacted and new.key is None:
            return "it is compacted, so a record needs a key; give one"
        size = _size(new)
        if size > RECORD_LIMIT:
            return f"a record of {size} bytes; at most {RECORD_LIMIT}: put large content into an asset"
        return None

    def _number(self, new: NewRecord, partitions: int, handle: Handle) -> int:
        if new.partition is not None:
            return new.partition
        if new.key is not None:
            return partition_of(new.key, partitions)
        handle.written += 1
        return handle.written % partitions


def _size(new: NewRecord) -> int:
    size = len(new.key or b"") + len(new.value or b"")
    for name, value in new.headers:
        size += len(name.encode(errors="surrogatepass")) + len(value or b"")
    return size


def _shape(spec: TopicSpec) -> str:
    return f"{spec.partitions} partitions{', compacted' if spec.compacted else ''}"
