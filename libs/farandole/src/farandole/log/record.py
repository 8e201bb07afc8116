"""Records as the log holds them, and the words for places in it."""

from typing import NamedTuple

from farandole.events.codec import Headers

TopicPartition = tuple[str, int]


class NewRecord(NamedTuple):
    """A record to be written. `partition=None`: the log's partitioner chooses by key (see `partition_of`)."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    partition: int | None = None


class Record(NamedTuple):
    """A committed record. `time`: when the log took it, seconds since the epoch, never falling in a partition."""

    topic: str
    partition: int
    offset: int
    time: float
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic, partition, offset."""
        return self.topic, self.partition, self.offset


class Place(NamedTuple):
    """Where a record was written."""

    topic: str
    partition: int
    offset: int


class TopicSpec(NamedTuple):
    """A topic as it should be. Compacted: only the latest record per key is kept, a null value deletes."""

    name: str
    partitions: int = 1
    compacted: bool = False


class Span(NamedTuple):
    """The offsets that a partition holds: `start` ≤ offset < `end`; not every one is of a record.

    Compaction takes records away, and on Kafka the end of a transaction takes an offset too.
    """

    start: int
    end: int
