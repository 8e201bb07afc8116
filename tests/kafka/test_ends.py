"""Where committed records end, beside transactions of others that are open: a commit that has returned is never missed.

A transaction that is open for a moment stands for one that was committed a moment ago: until its marks are written, the
brokers tell the two apart to nobody who asks for offsets.
"""

import asyncio
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import Producer

from farandole.engines.kafka.ends import SETTLING
from farandole.engines.kafka.log import KafkaLog
from farandole.log.record import NewRecord, Span, TopicSpec
from scripts.kafka import Cluster

pytestmark = pytest.mark.slow
MOMENT = 0.7  # seconds


@contextmanager
def transaction(kafka: Cluster, topic: str) -> Iterator[Producer]:
    """One record is written in a transaction that stays open; its maker ends it."""
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap, "transactional.id": uuid.uuid4().hex, "transaction.timeout.ms": 60_000}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"v", partition=0)
    producer.flush(30)
    try:
        yield producer
    finally:
        producer.abort_transaction(30)


async def test_an_end_waits_for_what_is_being_committed(kafka: Cluster) -> None:
    """The ends, and a record that is fetched by its place, take in what commits within a moment."""
    namespace = f"e{uuid.uuid4().hex[:6]}"
    log = await KafkaLog.open(f"kafka://{kafka.bootstrap}/{namespace}")
    await log.ensure([TopicSpec("out", 2)])
    with transaction(kafka, f"{namespace}.out") as producer:
        spans, fetched = asyncio.ensure_future(log.spans(["out"])), asyncio.ensure_future(log.fetch("out", 0, 0))
        await asyncio.sleep(MOMENT)
        assert not spans.done()
        assert not fetched.done()
        await asyncio.to_thread(producer.commit_transaction, 30)
        assert await spans == {("out", 0): Span(0, 2), ("out", 1): Span(0, 0)}
        found = await fetched
        assert found is not None
        assert found.value == b"v"
        producer.begin_transaction()
    await log.close()


async def test_a_transaction_that_hangs_holds_up_one_answer(kafka: Cluster) -> None:
    """What it holds back is not readable; the next answers come at once, and what is before it is told."""
    namespace = f"e{uuid.uuid4().hex[:6]}"
    log = await KafkaLog.open(f"kafka://{kafka.bootstrap}/{namespace}")
    await log.ensure([TopicSpec("out")])
    (place,) = await log.append([NewRecord("out", b"before")])
    with transaction(kafka, f"{namespace}.out"):
        began = time.monotonic()
        first = await log.spans(["out"])
        waited = time.monotonic() - began
        await log.append([NewRecord("out", b"behind")])
        again = [await log.spans(["out"]) for _ in range(5)]
        assert time.monotonic() - began - waited < SETTLING, "a second answer was held up"
        assert waited >= SETTLING
        assert [first, *again] == [{("out", 0): Span(0, 1)}] * 6
        assert (await log.fetch(*place)) is not None
    assert await log.spans(["out"]) == {("out", 0): Span(0, 4)}  # before, the aborted one, behind, and the mark
    await log.close()
