"""The only broker tells of a cluster without brokers, as it does while it shuts down: every client finds back to it."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaException

from farandole.engines.kafka import handles
from farandole.engines.kafka.log import KafkaLog
from farandole.engines.kafka.subscription import KafkaSubscription
from farandole.log.ports import Interest, Subscription, Unit
from farandole.log.record import NewRecord, TopicSpec
from scripts.kafka import Cluster
from scripts.ports import HOST
from tests.kafka.proxy import proxied

pytestmark = pytest.mark.slow

LEASE = 3
PATIENCE = 90.0


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every client of confluent-kafka that is made, in order."""
    clients: list[Any] = []

    def noted(kind: type) -> Callable[[dict[str, Any]], Any]:
        def make(config: dict[str, Any]) -> Any:
            clients.append(kind(config))
            return clients[-1]

        return make

    for name in ("Consumer", "Producer", "AdminClient"):
        monkeypatch.setattr(f"farandole.engines.kafka.clients.{name}", noted(getattr(handles, name)))
    return clients


async def test_a_handle_finds_back_from_a_cluster_without_brokers(before: tuple[Cluster, int], made: list[Any]) -> None:
    """It publishes, takes over, restores and commits, and answers questions; nothing is lost, nothing twice."""
    cluster, port = before
    host, _, real = cluster.bootstrap.partition(":")
    async with proxied(port, (host, int(real))) as proxy:
        log = await KafkaLog.open(f"kafka://{HOST}:{port}/s{uuid.uuid4().hex[:8]}?lease={LEASE}")
        await log.ensure([TopicSpec("work"), TopicSpec("rows", compacted=True)])
        subscription = await log.subscribe(Interest("shop/pack", "work", state="rows"))
        seen: list[bytes] = []
        await log.append([NewRecord("work", b"before", b"k")])
        await log.append([NewRecord("work", b"and", b"k"), NewRecord("work", b"then", b"k")])
        await work(subscription, seen, 3)
        proxy.deserted = True
        told = await mislead(subscription, made)
        proxy.deserted = False
        assert (
            told.count(True) >= 5
        )  # who decides, publishes alone and together, commits, restores, and holds the lease
        async with asyncio.timeout(PATIENCE):
            await log.append([NewRecord("work", b"one", b"k")])
            await log.append([NewRecord("work", b"two", b"k"), NewRecord("work", b"three", b"k")])
            await work(subscription, seen, 6)
            assert seen == [b"before", b"and", b"then", b"one", b"two", b"three"]
            assert (await log.committed("shop/pack"))["work", 0] >= len(seen)
            assert "shop/pack" in await log.leases()
        await log.close()


async def mislead(subscription: KafkaSubscription, clients: list[Any]) -> list[bool]:
    """Have each ask; which heard of no brokers, and find none any more."""
    member = subscription._member
    its_own = member._consumer  # beside a poll it stands still in another thread's call
    others = [await asyncio.to_thread(misled, client) for client in clients if client is not its_own]
    heard: list[bool] = []
    await asyncio.wrap_future(member._ask(lambda: heard.append(misled(its_own))))
    return heard + others


def misled(client: Any) -> bool:
    """Whether it was; not one that nobody uses any more."""
    try:
        heard = client.list_topics(timeout=5)
    except (KafkaException, RuntimeError):
        return False
    assert not heard.brokers
    with pytest.raises(KafkaException):
        client.list_topics(timeout=1)
    return True


async def work(subscription: Subscription, seen: list[bytes], until: int) -> None:
    """Take over whatever is granted, and commit each record, with a row that says so, until so many were seen."""
    leases = {}
    async with asyncio.timeout(PATIENCE):
        while len(seen) < until:
            polled = await subscription.poll(limit=10, timeout=1.0)
            for lease in polled.granted:
                rows = await subscription.restore(lease)
                assert [row.value for row in rows] == seen[-1:]
                leases[lease.partition] = lease
            for record in polled.records:
                row = NewRecord("rows", record.value, b"last", partition=record.partition)
                unit = Unit(leases[record.partition], [row], {"work": record.offset + 1})
                assert (await subscription.commit([unit])).fenced == []
                seen.append(record.value or b"")
