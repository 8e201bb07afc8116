"""A handle on the log as a rehearsed process has it: what waits, waits without a timer, and nothing goes unseen.

A poll that only ends with news leaves no timer behind, so a rehearsal knows when nothing can move any more, and
a day without news costs nothing.
"""

from collections.abc import Callable, Mapping, Sequence

from farandole.engines.memory.log import MemoryLog
from farandole.log.ports import Committed, Interest, Lease, Polled, Reader, Subscription, Unit
from farandole.log.record import NewRecord, Place, Record, Span, TopicPartition, TopicSpec
from farandole.testing.loop import NEVER

Passing = Callable[[str], None]
"""Told the name of every operation before it begins."""


class PatientLog:
    """Implements `Log` over a memory log."""

    def __init__(self, log: MemoryLog, passing: Passing) -> None:
        self._log, self._passing = log, passing
        self.capabilities, self.clock = log.capabilities, log.clock

    async def ensure(self, topics: Sequence[TopicSpec]) -> None:
        """As the port says."""
        self._passing("ensure")
        await self._log.ensure(topics)

    async def topics(self) -> list[TopicSpec]:
        """As the port says."""
        self._passing("topics")
        return await self._log.topics()

    async def append(
        self, records: Sequence[NewRecord], *, identities: Sequence[bytes | None] | None = None
    ) -> list[Place]:
        """As the port says."""
        self._passing("append")
        return await self._log.append(records, identities=identities)

    async def subscribe(self, interest: Interest) -> Subscription:
        """As the port says."""
        self._passing("subscribe")
        return _PatientSubscription(await self._log.subscribe(interest), self._passing)

    async def reader(self, topics: Sequence[str], start: Mapping[TopicPartition, int] | None = None) -> Reader:
        """As the port says."""
        self._passing("reader")
        return _PatientReader(await self._log.reader(topics, start), self._passing)

    async def fetch(self, topic: str, partition: int, offset: int) -> Record | None:
        """As the port says."""
        self._passing("fetch")
        return await self._log.fetch(topic, partition, offset)

    async def spans(self, topics: Sequence[str]) -> dict[TopicPartition, Span]:
        """As the port says."""
        self._passing("spans")
        return await self._log.spans(topics)

    async def offset_at(self, topic: str, partition: int, time: float) -> int:
        """As the port says."""
        self._passing("offset_at")
        return await self._log.offset_at(topic, partition, time)

    async def prune(self, before: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """As the port says."""
        self._passing("prune")
        return await self._log.prune(before)

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        """As the port says."""
        self._passing("committed")
        return await self._log.committed(group)

    async def leases(self) -> dict[str, list[tuple[Lease, str]]]:
        """As the port says."""
        self._passing("leases")
        return await self._log.leases()

    async def close(self) -> None:
        """As the port says."""
        self._passing("close")
        await self._log.close()


class _PatientSubscription:
    def __init__(self, inner: Subscription, passing: Passing) -> None:
        self._inner, self._passing = inner, passing
        self.pause, self.resume = inner.pause, inner.resume

    async def poll(self, *, limit: int, timeout: float) -> Polled:
        self._passing("poll")
        # Who wants no records wants to look at something else when the time is over.
        return await self._inner.poll(limit=limit, timeout=_patience(timeout) if limit else timeout)

    async def restore(self, lease: Lease) -> list[Record]:
        self._passing("restore")
        return await self._inner.restore(lease)

    async def commit(self, units: Sequence[Unit]) -> Committed:
        self._passing("commit")
        return await self._inner.commit(units)

    async def release(self, lease: Lease) -> None:
        self._passing("release")
        await self._inner.release(lease)

    async def close(self) -> None:
        self._passing("close")
        await self._inner.close()


class _PatientReader:
    def __init__(self, inner: Reader, passing: Passing) -> None:
        self._inner, self._passing = inner, passing
        self.positions = inner.positions

    async def poll(self, *, limit: int = 1000, timeout: float = 0.0) -> list[Record]:
        self._passing("read")
        return await self._inner.poll(limit=limit, timeout=_patience(timeout))

    async def close(self) -> None:
        await self._inner.close()


def _patience(timeout: float) -> float:
    return 2 * NEVER if timeout > 0 else timeout
