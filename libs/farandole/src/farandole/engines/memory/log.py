"""`MemoryLog`: a handle on a cluster, as one process would have it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TypeVar

from farandole.engines.memory.cluster import Cluster
from farandole.engines.memory.reader import MemoryReader
from farandole.engines.memory.subscription import MemorySubscription
from farandole.engines.memory.topics import RECORD_LIMIT
from farandole.events.errors import ConfigError
from farandole.log.ports import Capabilities, Clock, Interest, Lease
from farandole.log.record import NewRecord, Place, Record, Span, TopicPartition, TopicSpec

Part = TypeVar("Part", MemorySubscription, MemoryReader)

COMMIT_LIMIT = 100_000
"""Records in one commit that surely pass; in fact there is no limit."""


class MemoryLog:
    """Implements `Log`. Faults know it by its `name`, and `leases` shows it; None: one is given."""

    def __init__(self, cluster: Cluster, *, name: str | None = None) -> None:
        self.capabilities = Capabilities(
            engine="memory",
            durable=False,
            shared=False,
            identities=True,
            record_limit=RECORD_LIMIT,
            commit_limit=COMMIT_LIMIT,
        )
        self.clock: Clock = cluster.clock
        self._cluster = cluster
        self._handle = cluster.attach(name)
        self.name = self._handle.name
        self._parts: list[MemorySubscription | MemoryReader] = []
        self._turn = asyncio.Lock()

    async def ensure(self, topics: Sequence[TopicSpec]) -> None:
        """As the port says."""
        wanted = tuple(topics)
        await self._handle.write("ensure", lambda: self._cluster.ensure(wanted))

    async def topics(self) -> list[TopicSpec]:
        """As the port says."""
        return await self._handle.read("topics", self._cluster.topics.specs)

    async def append(
        self, records: Sequence[NewRecord], *, identities: Sequence[bytes | None] | None = None
    ) -> list[Place]:
        """As the port says; appends of one handle are written in the order of their calls."""
        new = tuple(records)
        names = (None,) * len(new) if identities is None else tuple(identities)
        if len(names) != len(new):
            raise ConfigError(f"{len(names)} identities for {len(new)} records; give one (or None) for each")
        async with self._turn:
            return await self._handle.write("append", lambda: self._cluster.append(new, names, self._handle))

    async def subscribe(self, interest: Interest) -> MemorySubscription:
        """As the port says. Raises ConfigError where a topic is missing or their shapes do not fit."""
        return await self._handle.write("subscribe", lambda: self._subscription(interest))

    async def reader(self, topics: Sequence[str], start: Mapping[TopicPartition, int] | None = None) -> MemoryReader:
        """As the port says."""
        reader = MemoryReader(self._cluster, self._handle, topics, start or {})
        return await self._handle.read("reader", lambda: self._keep(reader))

    async def fetch(self, topic: str, partition: int, offset: int) -> Record | None:
        """As the port says. Raises ConfigError where there is no such partition."""
        return await self._handle.read("fetch", lambda: self._cluster.topics.at(topic, partition).at(offset))

    async def spans(self, topics: Sequence[str]) -> dict[TopicPartition, Span]:
        """As the port says."""
        names = tuple(topics)
        return await self._handle.read("spans", lambda: self._cluster.topics.spans(names))

    async def offset_at(self, topic: str, partition: int, time: float) -> int:
        """As the port says. Raises ConfigError where there is no such partition."""
        return await self._handle.read("offset_at", lambda: self._cluster.topics.at(topic, partition).offset_at(time))

    async def prune(self, before: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """As the port says; here each begins just where it was asked for."""
        wanted = dict(before)
        return await self._handle.write("prune", lambda: self._cluster.topics.prune(wanted))

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        """As the port says."""
        return await self._handle.read("committed", lambda: dict(self._cluster.positions.get(group, {})))

    async def leases(self) -> dict[str, list[tuple[Lease, str]]]:
        """As the port says; a member has the name of its handle."""
        return await self._handle.read("leases", self._cluster.leases)

    async def close(self) -> None:
        """As the port says. Where it fails, the handle is closed none the less; its leases run out."""
        if self._handle.closed:
            return
        try:
            await self._handle.write("close", self._end)
        except BaseException:
            self._cluster.silence(self._handle)
            raise
        finally:
            self._handle.closed = True
            self._handle.wake()

    def _end(self) -> None:
        for part in self._parts:
            part.leave()

    def _subscription(self, interest: Interest) -> MemorySubscription:
        self._check(interest)
        subscription = MemorySubscription(self._cluster, self._handle, interest)
        return self._keep(subscription)

    def _keep(self, part: Part) -> Part:
        self._parts = [kept for kept in self._parts if not kept.closed]
        self._parts.append(part)
        return part

    def _check(self, interest: Interest) -> None:
        if interest.start not in ("beginning", "now"):
            raise ConfigError(f"start={interest.start!r}; a group starts at the 'beginning' or 'now'")
        partitions = self._cluster.topics.spec(interest.topic).partitions
        for topic in filter(None, (interest.inbox, interest.state)):
            spec = self._cluster.topics.spec(topic)
            if spec.partitions != partitions:
                raise ConfigError(
                    f"topic {topic!r} has {spec.partitions} partitions and {interest.topic!r} {partitions}; "
                    "what is leased together needs as many"
                )
            if topic == interest.state and not spec.compacted:
                raise ConfigError(f"topic {topic!r} keeps state, so it has to be compacted")
