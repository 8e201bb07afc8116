"""The records of one partition, plain or compacted; it knows no topic, group or reader."""

from bisect import bisect_left
from operator import attrgetter
from typing import Protocol

from farandole.log.record import NewRecord, Record

_TOMBSTONES_KEPT = 24 * 3600.0  # seconds for which a reader that follows can still learn of a deletion
_STALE_KEPT = 64  # overwritten records that are not worth a sweep

_offset = attrgetter("offset")
_time = attrgetter("time")


class Partition(Protocol):
    """Records in offset order. `start`: the offset before which all was removed."""

    start: int
    end: int

    def write(self, new: NewRecord, number: int, now: float) -> int:
        """Append one record as of partition `number`; its offset. Time never falls."""
        ...

    def read(self, offset: int, limit: int) -> tuple[list[Record], int]:
        """At most `limit` kept records from `offset` on, and the offset at which to go on."""
        ...

    def at(self, offset: int) -> Record | None:
        """The record of this offset, where it is kept."""
        ...

    def offset_at(self, time: float) -> int:
        """The first kept offset whose record was taken at or after `time`; the end where there is none."""
        ...

    def cut(self, before: int) -> None:
        """Remove what lies before this offset; never called where only the latest are kept."""
        ...


class PlainPartition:
    """Every record is kept until it is pruned."""

    __slots__ = ("_records", "end", "start")

    def __init__(self) -> None:
        self.start = self.end = 0
        self._records: list[Record] = []

    def write(self, new: NewRecord, number: int, now: float) -> int:
        """Append one record; its offset."""
        offset = self.end
        if self._records:
            now = max(now, self._records[-1].time)
        self._records.append(Record(new.topic, number, offset, now, new.key, new.value, new.headers))
        self.end = offset + 1
        return offset

    def read(self, offset: int, limit: int) -> tuple[list[Record], int]:
        """At most `limit` records from `offset` on, and the offset at which to go on."""
        first = max(0, offset - self.start)
        found = self._records[first : first + limit]
        return found, max(offset, self.start) + len(found)

    def at(self, offset: int) -> Record | None:
        """The record of this offset."""
        return self._records[offset - self.start] if self.start <= offset < self.end else None

    def offset_at(self, time: float) -> int:
        """The first offset whose record was taken at or after `time`; the end where there is none."""
        return self.start + bisect_left(self._records, time, key=_time)

    def cut(self, before: int) -> None:
        """Remove what lies before this offset."""
        del self._records[: max(0, before - self.start)]
        self.start = max(self.start, before)


class CompactedPartition:
    """Only the latest record per key is read; overwritten ones are swept when they are the larger part."""

    __slots__ = ("_latest", "_now", "_records", "end", "start")

    def __init__(self) -> None:
        self.start = self.end = 0
        self._now = 0.0
        self._records: list[Record] = []
        self._latest: dict[bytes | None, int] = {}

    def write(self, new: NewRecord, number: int, now: float) -> int:
        """Append one record, which takes the place of its key's former one; its offset."""
        offset, self._now = self.end, max(now, self._now)
        self._records.append(Record(new.topic, number, offset, self._now, new.key, new.value, new.headers))
        self._latest[new.key] = offset
        self.end = offset + 1
        if len(self._records) > 2 * len(self._latest) + _STALE_KEPT:
            self._sweep()
        return offset

    def read(self, offset: int, limit: int) -> tuple[list[Record], int]:
        """At most `limit` latest records from `offset` on, and the offset at which to go on."""
        found: list[Record] = []
        for index in range(bisect_left(self._records, offset, key=_offset), len(self._records)):
            record = self._records[index]
            if self._kept(record):
                if len(found) == limit:
                    return found, record.offset
                found.append(record)
        return found, max(offset, self.end)

    def at(self, offset: int) -> Record | None:
        """The record of this offset, where it is its key's latest."""
        index = bisect_left(self._records, offset, key=_offset)
        record = self._records[index] if index < len(self._records) else None
        return record if record is not None and record.offset == offset and self._kept(record) else None

    def offset_at(self, time: float) -> int:
        """The first latest offset whose record was taken at or after `time`; the end where there is none."""
        for index in range(bisect_left(self._records, time, key=_time), len(self._records)):
            if self._kept(self._records[index]):
                return self._records[index].offset
        return self.end

    def cut(self, before: int) -> None:
        """It is refused before it comes here."""
        raise NotImplementedError

    def _kept(self, record: Record) -> bool:
        return self._latest.get(record.key) == record.offset

    def _sweep(self) -> None:
        oldest = self._now - _TOMBSTONES_KEPT
        self._records = [r for r in self._records if self._kept(r) and (r.value is not None or r.time > oldest)]
        self._latest = {record.key: record.offset for record in self._records}
