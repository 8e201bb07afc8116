"""Reading a compacted partition to its true end."""

import time

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import OffsetSpec

from farandole.engines.kafka.clients import Clients
from farandole.engines.kafka.convert import record_of
from farandole.engines.kafka.failures import PASSING, unavailable
from farandole.engines.kafka.offsets import listed
from farandole.engines.kafka.stranded import Administrator, answered
from farandole.engines.kafka.worker import Worker
from farandole.log.record import Record, Span

PATIENCE = 60.0
_ANSWER = 1.0  # seconds for a broker to answer whoever reads; another reader harms nothing
_BATCH = 1000


class StateReader:
    """Reads states for one subscription, one at a time, on a thread of its own. `group`: Kafka's name of its group."""

    def __init__(self, clients: Clients, admin: Administrator, group: str, name: str) -> None:
        self._clients, self._admin, self._group, self._worker = clients, admin, group, Worker(name)
        self._follower: Consumer | None = None

    async def rows(self, outer: str, topic: str, partition: int, end: int = 0) -> list[Record]:
        """See `read_state`; to the end that the partition has now, what is uncommitted included, and to `end` at least.

        A leader that was cut off takes its own end for the partition's until it hears otherwise.
        """
        place = outer, partition
        first = await listed(self._admin, [place], OffsetSpec.earliest())
        last = await listed(self._admin, [place], OffsetSpec.latest(), committed=False)
        span = Span(first[place], max(last[place], end))
        return await self._worker.do(lambda: read_state(self._reached(), outer, topic, partition, span))

    async def close(self) -> None:
        """Disconnect."""
        if self._follower is not None:
            await self._worker.do(self._follower.close)
        self._worker.end()

    def _reached(self) -> Consumer:
        if self._follower is None or not answered(self._follower, _ANSWER):
            self._follower = self._clients.follower(self._group)
        return self._follower


def read_state(follower: Consumer, outer: str, topic: str, partition: int, span: Span) -> list[Record]:
    """The latest record per key in the span, no tombstones, by offset; blocking.

    The span's end counts uncommitted records and the markers of transactions too. Markers are never delivered, so the
    end is reached when the client says so, not when a record has come. Raises LogUnavailable.
    """
    rows: dict[bytes | None, Record] = {}
    end = span.end
    if span.start >= end:
        return []
    deadline = time.monotonic() + PATIENCE
    at = span.start
    follower.assign([TopicPartition(outer, partition, at)])
    while time.monotonic() < deadline:
        for message in follower.consume(_BATCH, 0.05):
            error = message.error()
            if error is None:
                record = record_of(message, topic)
                rows[record.key] = record
                at = record.offset + 1
            elif error.code() == KafkaError._PARTITION_EOF:
                at = message.offset() or 0
                if at >= end:
                    return sorted((r for r in rows.values() if r.value is not None), key=lambda r: r.offset)
                follower.assign([TopicPartition(outer, partition, at)])  # a transaction is still open below the end
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:  # the client forgot it while leaders changed
                follower.assign([TopicPartition(outer, partition, at)])
            elif not error.retriable() and error.code() not in PASSING:
                raise unavailable(f"the state {topic}/{partition} can't be read", error)
    raise unavailable(
        f"the state {topic}/{partition} can't be read to its end {end}",
        KafkaError(KafkaError._TIMED_OUT, "an open transaction holds it back"),
    )
