"""Who was idle for longer than brokers remember a transactional id commits and appends as before (hazard 6)."""

import asyncio
import uuid

import pytest

from farandole.engines.kafka.log import KafkaLog
from farandole.log.ports import Interest, Unit
from farandole.log.record import NewRecord, TopicSpec
from scripts.kafka import NoKafka, kafka_cluster
from tests.kafka.session import without_kafka

pytestmark = pytest.mark.slow

FORGETS = 2.0
"""Seconds; seven days and one unless a cluster is told otherwise."""
IDLE = 2.5 * FORGETS
CONFIG = {
    "transactional.id.expiration.ms": f"{FORGETS * 1000:.0f}",
    "transaction.remove.expired.transaction.cleanup.interval.ms": "500",
    "producer.id.expiration.ms": f"{FORGETS * 1000:.0f}",
    "producer.id.expiration.check.interval.ms": "500",
}


async def test_a_forgotten_transactional_id_costs_nothing() -> None:
    """Outputs before and after stand there once, and the lease stays."""
    try:
        with kafka_cluster(config=CONFIG, origins=("java",)) as cluster:
            await _work(f"kafka://{cluster.bootstrap}/a{uuid.uuid4().hex[:8]}")
    except NoKafka as error:
        without_kafka(error)


async def _work(url: str) -> None:
    log = await KafkaLog.open(url)
    try:
        await log.ensure([TopicSpec("work", 1), TopicSpec("out", 1)])
        await log.append([NewRecord("work", b"%d" % number) for number in range(2)])
        subscription = await log.subscribe(Interest("shop/pack", "work"))
        async with asyncio.timeout(60):
            while not (granted := (await subscription.poll(limit=0, timeout=1.0)).granted):
                pass
        for number in range(2):
            unit = Unit(granted[0], [NewRecord("out", b"%d" % number)], {"work": number + 1})
            assert (await subscription.commit([unit])).fenced == []
            await asyncio.sleep(IDLE)
        for several in ([b"a"], [b"b", b"c"]) * 2:
            await log.append([NewRecord("out", value) for value in several])
        await asyncio.sleep(IDLE)
        for several in ([b"d"], [b"e", b"f"]):
            await log.append([NewRecord("out", value) for value in several])
        wanted = [b"0", b"1", b"a", b"b", b"c", b"a", b"b", b"c", b"d", b"e", b"f"]
        reader = await log.reader(["out"])
        found: list[bytes | None] = []
        async with asyncio.timeout(30):
            while len(found) < len(wanted):
                found += [record.value for record in await reader.poll(timeout=1.0)]
        assert found == wanted
    finally:
        await log.close()
