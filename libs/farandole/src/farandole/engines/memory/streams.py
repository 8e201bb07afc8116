"""What a member reads: per lease and topic the position, and whether it may be read at all."""

from collections.abc import Hashable
from dataclasses import dataclass

from farandole.engines.memory.chance import Chance
from farandole.engines.memory.partition import Partition
from farandole.log.ports import Lease
from farandole.log.pruning import gone_unhandled
from farandole.log.record import Place, Record


@dataclass(slots=True, eq=False)
class Stream:
    """One topic read under one lease; `ready` once the lease's state was restored."""

    lease: Lease
    topic: str
    partition: Partition
    position: int
    ready: bool
    paused: bool = False

    @property
    def readable(self) -> bool:
        """Whether its records are handed out."""
        return self.ready and not self.paused


class Streams:
    """The streams of all leases of a member, those that waited longest first."""

    __slots__ = ("_chance", "_streams")

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._streams: dict[tuple[int, str], Stream] = {}

    def add(self, *streams: Stream) -> None:
        """Read these too."""
        self._streams.update({(stream.lease.partition, stream.topic): stream for stream in streams})

    def of(self, lease: Lease, topic: str | None = None) -> list[Stream]:
        """The streams of a lease, of one topic or of all; none where the lease is gone."""
        return [s for s in self._streams.values() if s.lease == lease and topic in (None, s.topic)]

    def drop(self, lease: Lease) -> list[Stream]:
        """Read a lease's streams no more; which they were."""
        dropped = self.of(lease)
        for stream in dropped:
            del self._streams[lease.partition, stream.topic]
        return dropped

    def take(self, limit: int) -> list[Record]:
        """Up to `limit` records, moving the positions; a stream that gave some is last the next time."""
        records: list[Record] = []
        for key in self._chance.order([key for key, stream in self._streams.items() if stream.readable]):
            stream = self._streams[key]
            if stream.position < stream.partition.start:
                place = Place(stream.topic, stream.lease.partition, stream.position)
                raise gone_unhandled(stream.lease.group, place, stream.partition.start)
            found, stream.position = stream.partition.read(stream.position, limit - len(records))
            if found:
                records += found
                self._streams[key] = self._streams.pop(key)
            if len(records) >= limit:
                break
        return records

    def awaited(self) -> list[Hashable]:
        """The bells that ring when one of them has more."""
        return [(stream.topic, stream.lease.partition) for stream in self._streams.values() if stream.readable]
