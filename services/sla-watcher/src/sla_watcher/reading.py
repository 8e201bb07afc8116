"""Faust's Kafka transport, reading committed records only, and none out of turn.

Faust offers the first with `processing_guarantee="exactly_once"` alone, which is known to break on rebalances; the
journal is written in transactions, and what an aborted one left behind is no fact.

The second it does not offer. At the end of a rebalance it lets records flow and goes back to the committed positions
while they do. What was fetched before that lies beyond records that it had dropped; handed on, it would make the
dropped ones count as read. So nothing but the tables' changes is handed on until the positions are set, and they are
never set while records are being fetched or handed on.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport

_PATIENCE = 20.0  # seconds to set positions in; less than Faust's own, after which it would go on without


class CommittedThread(AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Read when it starts, which is later; Faust leaves no way to hand it over.
        assert consumer._isolation_level in ("read_uncommitted", "read_committed"), "another aiokafka than pinned"
        consumer._isolation_level = "read_committed"
        return consumer

    async def seek_to_committed(self) -> Mapping[Any, int | None]:
        offsets: Mapping[Any, int | None] = await super().seek_to_committed()
        # Where nothing is committed yet, aiokafka stays where it is: beyond what was fetched and dropped.
        changelogs = self.app.tables.changelog_topics
        fresh = [place for place, offset in offsets.items() if not offset and place.topic not in changelogs]
        if fresh:
            await self.seek_to_beginning(*fresh)
        return offsets


class CommittedConsumer(Consumer):
    def __init__(self, *args: Any, **options: Any) -> None:
        self._turn = asyncio.Lock()
        self._holder: asyncio.Task[Any] | None = None
        self._placed = False  # whether positions were set since partitions moved last
        super().__init__(*args, **options)

    def _new_consumer_thread(self) -> CommittedThread:
        return CommittedThread(self, loop=self.loop, beacon=self.beacon)

    def stop_flow(self) -> None:
        self._placed = False
        super().stop_flow()

    async def on_partitions_assigned(self, assigned: set[Any], generation_id: int = 0) -> None:
        self._placed = False
        await super().on_partitions_assigned(assigned, generation_id)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, Any]]:
        while not self.flow_active:  # not in our turn, for it is others' turns that we would wait for
            await self.wait(self.can_resume_flow)
            if self.should_stop:
                return
        async with self._in_turn():
            if not self.flow_active:
                return
            async with aclosing(super().getmany(timeout)) as records:
                async for place, message in records:
                    if self._placed or self._is_changelog(place):
                        yield place, message

    async def perform_seek(self) -> None:
        if self._holder is asyncio.current_task():  # by `getmany`, of what it fetched while partitions moved
            await super().perform_seek()
            return
        async with asyncio.timeout(_PATIENCE), self._in_turn():
            await super().perform_seek()
            self._placed = True

    async def seek_wait(self, partitions: Mapping[Any, int]) -> None:
        async with asyncio.timeout(_PATIENCE), self._in_turn():
            await super().seek_wait(partitions)

    def _is_changelog(self, place: Any) -> bool:
        return place.topic in self.app.tables.changelog_topics

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        async with self._turn:
            self._holder = asyncio.current_task()
            try:
                yield
            finally:
                self._holder = None


class CommittedTransport(Transport):
    Consumer = CommittedConsumer
