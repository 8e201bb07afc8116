"""`History`: an archive, and the log that goes on behind it, read as one log."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from farandole.events.errors import LogUnavailable
from farandole.log.ports import Capabilities, Clock, Interest, Lease, Log, Reader, Subscription
from farandole.log.record import NewRecord, Place, Record, Span, TopicPartition, TopicSpec

if TYPE_CHECKING:
    from farandole_observe.archive.files import Archive  # which needs what only the extra `archive` installs


class History:
    """Implements `Log`: what reads goes through the archive too, all else to the log as it is.

    Where something lies between the end of the archive and the log's beginning, history begins with the log.
    """

    def __init__(self, log: Log, archive: "Archive") -> None:
        self.capabilities: Capabilities = log.capabilities
        self.clock: Clock = log.clock
        self._log, self._archive = log, archive

    @property
    def behind(self) -> Log:
        """The log without the archive."""
        return self._log

    async def reader(self, topics: Sequence[str], start: Mapping[TopicPartition, int] | None = None) -> Reader:
        """See `Log.reader`."""
        behind = await self._log.spans(topics)
        whole = self._joined(behind)
        given = start or {}
        stands = {place: given.get(place, span.start) for place, span in whole.items()}
        old = {place: at for place, at in stands.items() if whole[place].start <= at < behind[place].start}
        return _HistoryReader(self._log, self._archive, topics, dict(given) | old)

    async def spans(self, topics: Sequence[str]) -> dict[TopicPartition, Span]:
        """See `Log.spans`."""
        return self._joined(await self._log.spans(topics))

    async def fetch(self, topic: str, partition: int, offset: int) -> Record | None:
        """See `Log.fetch`."""
        span = (await self._log.spans([topic])).get((topic, partition))
        if span is None or offset >= span.start:
            return await self._log.fetch(topic, partition, offset)
        return await asyncio.to_thread(self._archive.fetch, (topic, partition), offset)

    async def offset_at(self, topic: str, partition: int, time: float) -> int:
        """See `Log.offset_at`."""
        place = topic, partition
        spans = await self._log.spans([topic])
        if place in spans and self._joined(spans)[place].start < spans[place].start:
            found = await asyncio.to_thread(self._archive.offset_at, place, time)
            if found is not None and found < spans[place].start:
                return found
        return await self._log.offset_at(topic, partition, time)

    async def ensure(self, topics: Sequence[TopicSpec]) -> None:
        """See `Log.ensure`."""
        await self._log.ensure(topics)

    async def topics(self) -> list[TopicSpec]:
        """See `Log.topics`."""
        return await self._log.topics()

    async def append(
        self, records: Sequence[NewRecord], *, identities: Sequence[bytes | None] | None = None
    ) -> list[Place]:
        """See `Log.append`."""
        return await self._log.append(records, identities=identities)

    async def subscribe(self, interest: Interest) -> Subscription:
        """See `Log.subscribe`."""
        return await self._log.subscribe(interest)

    async def prune(self, before: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """See `Log.prune`; of the archive nothing is removed."""
        return await self._log.prune(before)

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        """See `Log.committed`."""
        return await self._log.committed(group)

    async def leases(self) -> dict[str, list[tuple[Lease, str]]]:
        """See `Log.leases`."""
        return await self._log.leases()

    async def close(self) -> None:
        """See `Log.close`."""
        await self._log.close()

    def _joined(self, spans: Mapping[TopicPartition, Span]) -> dict[TopicPartition, Span]:
        found = {}
        for place, span in spans.items():
            before = self._archive.span(place) if span.start else None
            joined = before is not None and before.start < span.start <= before.end
            found[place] = Span(before.start, span.end) if before is not None and joined else span
        return found


class _HistoryReader:
    """The archive first, partition after partition; then the log, from where the archive ends."""

    def __init__(
        self, log: Log, archive: "Archive", topics: Sequence[str], start: Mapping[TopicPartition, int]
    ) -> None:
        self._log, self._archive, self._topics = log, archive, topics
        self._positions = dict(start)
        self._left = [place for place in sorted(start) if self._archive.span(place) is not None]
        self._reading: tuple[TopicPartition, int] | None = None
        self._batches: Iterator[list[Record]] = iter(())
        self._waiting: list[Record] = []
        self._inner: Reader | None = None
        self._closed = False

    async def poll(self, *, limit: int = 1000, timeout: float = 0.0) -> list[Record]:
        """See `Reader.poll`."""
        if self._closed:
            raise LogUnavailable("this reader is closed; open another")
        while self._inner is None:
            if self._waiting:
                found, self._waiting = self._waiting[:limit], self._waiting[limit:]
                self._positions[found[-1].topic, found[-1].partition] = found[-1].offset + 1
                return found
            await self._go_on()
        return await self._inner.poll(limit=limit, timeout=timeout)

    def positions(self) -> dict[TopicPartition, int]:
        """See `Reader.positions`."""
        return dict(self._positions) if self._inner is None else self._inner.positions()

    async def close(self) -> None:
        """See `Reader.close`."""
        self._closed = True
        if self._inner is not None:
            await self._inner.close()

    async def _go_on(self) -> None:
        """The next records of the archive, or the log behind it."""
        more = await asyncio.to_thread(next, self._batches, None)
        if more is not None:
            self._waiting = more
            return
        if self._reading is not None:
            place, end = self._reading
            self._positions[place], self._reading = max(self._positions[place], end), None
        if not self._left:
            self._inner = await self._log.reader(self._topics, self._positions)
            return
        place = self._left.pop(0)
        span = self._archive.span(place)  # as it is now: what is added meanwhile the log has still, or the next reader
        if span is not None:
            self._reading = place, span.end
            self._batches = self._archive.read(place, Span(self._positions[place], span.end))
