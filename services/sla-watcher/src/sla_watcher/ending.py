"""Whether nothing of a topic's partition is left to read, open transactions included; asked beside the stream.

Offsets alone do not tell: the end of a transaction takes one and is never delivered.
"""

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

_PATIENCE = 3.0  # seconds that one look may take
_TURN = 200  # milliseconds of one poll


class Ending:
    """Looks at the ends of a topic's partitions; it belongs to no group and commits nothing."""

    def __init__(self, brokers: Sequence[str], topic: str) -> None:
        self._brokers, self._topic = list(brokers), topic
        self._consumer: AIOKafkaConsumer | None = None

    async def stop(self) -> None:
        """Let go of the brokers; the next look connects again."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._brokers,
                isolation_level="read_committed",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=_TURN,
                max_partition_fetch_bytes=16_384,
            )
            await consumer.start()
            self._consumer = consumer
        return self._consumer

    async def reached(self, offsets: Mapping[int, int]) -> set[int]:
        """The partitions of which nothing is left at their offset; 0 stands for the beginning, whatever that is.

        What a transaction that is still open holds back counts as left; what an aborted one left behind does not.
        Raises aiokafka's KafkaError.
        """
        consumer = await self._connected()
        waiting = {TopicPartition(self._topic, number): offset for number, offset in offsets.items()}
        consumer.assign(list(waiting))
        for place, offset in waiting.items():
            if offset:
                consumer.seek(place, offset)
        found: set[int] = set()
        ends = asyncio.get_running_loop().time() + _PATIENCE
        while waiting and asyncio.get_running_loop().time() < ends:
            for place, records in (await consumer.getmany(timeout_ms=_TURN)).items():
                if records:
                    waiting.pop(place, None)
            for place in list(waiting):
                if await _at_end(consumer, place):
                    found.add(place.partition)
                    del waiting[place]
        consumer.assign([])
        return found


async def _at_end(consumer: AIOKafkaConsumer, place: TopicPartition) -> bool:
    end = consumer.highwater(place)  # None until something was fetched since `assign`
    return end is not None and await consumer.position(place) >= end
