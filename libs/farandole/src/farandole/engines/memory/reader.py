"""`MemoryReader`: reads topics from given positions, without a group."""

import asyncio
from collections.abc import Hashable, Mapping, Sequence

from farandole.engines.memory.cluster import TOPICS, Cluster
from farandole.engines.memory.handle import Handle
from farandole.events.errors import ConfigError, LogError
from farandole.log.pruning import gone_unread
from farandole.log.record import Place, Record, TopicPartition


class MemoryReader:
    """Implements `Reader`. Partitions take turns; a topic that does not exist yet is read once it appears."""

    def __init__(
        self, cluster: Cluster, handle: Handle, topics: Sequence[str], start: Mapping[TopicPartition, int]
    ) -> None:
        if negative := [place for place, offset in start.items() if offset < 0]:
            raise ConfigError(f"a reader cannot start below offset 0, as asked for {negative}")
        self._cluster, self._handle = cluster, handle
        self._start = dict(start)
        self._missing = list(dict.fromkeys(topics))
        self._positions: dict[TopicPartition, int] = {}
        self.closed = False
        self._look()

    async def poll(self, *, limit: int = 1000, timeout: float = 0.0) -> list[Record]:
        """As the port says. Nothing is taken before the last stage, so neither fault nor cancel loses any."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        await self._handle.reach("read", "before")
        while True:
            await self._handle.reach("read", "inside")
            await self._handle.reach("read", "after")
            if self.closed:
                raise LogError("this reader is closed; open another")
            records = self._take(self._cluster.chance.batch(limit))
            left = deadline - loop.time()
            if records or left <= 0:
                return records
            await self._handle.wait((*self._awaited(), self), left)

    def positions(self) -> dict[TopicPartition, int]:
        """The next offset to read, per partition of the topics that exist."""
        self._look()
        return dict(self._positions)

    async def close(self) -> None:
        """End; a poll under way ends too."""
        self.leave()

    def leave(self) -> None:
        """End without a call on the log, as part of its handle's end."""
        self.closed = True
        self._cluster.bells.ring((self,))

    def _take(self, limit: int) -> list[Record]:
        self._look()
        records: list[Record] = []
        for place in self._cluster.chance.order(list(self._positions)):
            partition = self._cluster.topics.at(*place)
            if self._positions[place] < partition.start:
                raise gone_unread(Place(*place, self._positions[place]), partition.start)
            found, position = partition.read(self._positions[place], limit - len(records))
            records += found
            if found:  # to the end of the line
                del self._positions[place]
            self._positions[place] = position
            if len(records) >= limit:
                break
        return records

    def _look(self) -> None:
        """Take up those topics that have appeared."""
        appeared = [topic for topic in self._missing if self._cluster.topics.partitions(topic)]
        for topic in appeared:
            self._missing.remove(topic)
            for number, partition in enumerate(self._cluster.topics.partitions(topic)):
                self._positions[topic, number] = self._start.get((topic, number), partition.start)

    def _awaited(self) -> list[Hashable]:
        return [*self._positions, *([TOPICS] if self._missing else ())]
