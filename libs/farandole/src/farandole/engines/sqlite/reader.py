"""Reading without a group, for observers, follow and wait."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence

from farandole.engines.sqlite.catalog import Topic
from farandole.engines.sqlite.feeds import Feed, Rota, begin, look_at_ends
from farandole.engines.sqlite.handle import Handle
from farandole.engines.sqlite.wake import Bell
from farandole.events.errors import LogUnavailable
from farandole.log.record import Record, TopicPartition


class SqliteReader:
    """Implements `Reader`. It tells the others of itself only once it has to wait."""

    def __init__(self, handle: Handle, topics: Sequence[str], start: Mapping[TopicPartition, int]) -> None:
        self.bell = Bell()
        self.topics: Collection[str] = frozenset(topics)
        self._handle = handle
        self._start = dict(start)
        self._missing = set(topics)
        self._feeds: list[Feed] = []
        self._rota = Rota()
        self._known = False
        self._dry = False  # the last look gave all that there was
        self._closed = False

    async def poll(self, *, limit: int = 1000, timeout: float = 0.0) -> list[Record]:
        """See `Reader.poll`."""
        until = time.monotonic() + timeout
        if self._dry and self._known and timeout > 0 and not self.bell.rung:  # nothing new since the last look
            await self.bell.wait(timeout)
        else:
            await asyncio.sleep(0)  # who follows without waiting still lets others run
        while True:
            self._check()
            self.bell.still()
            records = await self._handle.read(lambda: self._take(limit))
            self._dry = len(records) < limit
            left = until - time.monotonic()
            if records or left <= 0:
                return records
            if self._known:
                await self.bell.wait(left)
            else:
                self._known = True
                await self._handle.watch(self, lambda _txn, _number: None)

    def positions(self) -> dict[TopicPartition, int]:
        """See `Reader.positions`."""
        return self._start | {(feed.topic.name, feed.partition): feed.position for feed in self._feeds}

    async def close(self) -> None:
        """See `Reader.close`."""
        if not self._closed:
            self._closed = True
            self.bell.ring()
            await self._handle.unwatch(self, lambda _txn: None)

    def leases_changed(self, *, expelled: bool) -> None:
        """A topic may have been created; or nobody knows any more that this reader is to be woken."""
        if expelled:
            self._known = False
        self.bell.ring()

    def _check(self) -> None:
        if self._closed:
            raise LogUnavailable("this reader is closed; open another")

    def _take(self, limit: int) -> list[Record]:
        if self._missing:
            self.attach()
        return self._rota.take(self._handle.db, self._feeds, limit)

    def attach(self) -> None:
        """Begin with those topics that exist by now."""
        for name in sorted(self._missing):
            topic = self._handle.catalog.find(name)
            if topic is not None:
                self._missing.discard(name)
                self._feeds += [self._feed(topic, number) for number in range(topic.partitions)]

    def _feed(self, topic: Topic, number: int) -> Feed:
        given = self._start.get((topic.name, number))
        feed = Feed(topic, number, 0 if given is None else given)
        if given is None:
            look_at_ends(self._handle.db, [feed])
            feed = Feed(topic, number, begin(self._handle.db, topic, number, feed.end))
        return feed
