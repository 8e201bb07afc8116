"""A service that starts while a broker comes back waits for it, and does not end with what passes by itself."""

import asyncio
import time
import uuid

import pytest

from farandole.engines.open import open_log
from farandole.log.ports import Interest, Log
from farandole.log.record import NewRecord, TopicSpec
from scripts.kafka import NoKafka, kafka_cluster
from tests.chaos_kafka.brokers import wait_in_sync
from tests.kafka.session import without_kafka
from tests.kafka.wire import admin

pytestmark = pytest.mark.slow


async def _begin(url: str) -> None:
    """What a service does when it starts on an empty log, and a first record."""
    log = await open_log(url)
    try:
        await log.ensure([TopicSpec("taken", 4), TopicSpec("given", 4), TopicSpec("rows", 4, compacted=True)])
        assert {spec.name: spec.compacted for spec in await log.topics()} == {
            "taken": False, "given": False, "rows": True,
        }  # fmt: skip
        await log.append([NewRecord("taken", b"one", b"k")])
        assert await _first(log) == b"one"
    finally:
        await log.close()


async def _first(log: Log) -> bytes | None:
    subscription = await log.subscribe(Interest("svc/step", "taken", state="rows"))
    async with asyncio.timeout(60):
        while True:
            batch = await subscription.poll(limit=10, timeout=1)
            for lease in batch.granted:
                await subscription.restore(lease)
            if batch.records:
                return batch.records[0].value


def _until_away(bootstrap: str) -> None:
    """The brokers know that one is away."""
    asking, deadline = admin(bootstrap), time.monotonic() + 60
    while len(asking.list_topics(timeout=10).brokers) == 3:
        assert time.monotonic() < deadline
        time.sleep(0.2)


async def test_topics_are_made_and_known_while_a_broker_is_away_and_comes_back() -> None:
    """Just after its death, when it still counts, and once all know that it is away; back, it holds a copy of all."""
    try:
        with kafka_cluster(3, origins=("java",)) as cluster:
            node = cluster.nodes[-1]
            await asyncio.to_thread(node.kill)
            starting = asyncio.create_task(asyncio.to_thread(node.start))
            await _begin(f"kafka://{cluster.bootstrap}/a{uuid.uuid4().hex[:6]}")
            await starting
            await asyncio.to_thread(node.kill)
            await asyncio.to_thread(_until_away, cluster.bootstrap)
            await _begin(f"kafka://{cluster.bootstrap}/b{uuid.uuid4().hex[:6]}")
            assert node.pid is None, "it was away all the time"
            await asyncio.to_thread(node.start)
            await asyncio.to_thread(wait_in_sync, admin(cluster.bootstrap), len(cluster.nodes))
    except NoKafka as error:
        without_kafka(error)
