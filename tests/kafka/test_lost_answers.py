"""Whatever request or answer of a transaction is lost or late: each commit is there once, and is known to be."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from farandole.engines.kafka.clients import TRANSACTION
from farandole.engines.kafka.log import KafkaLog
from farandole.log.ports import Interest, Lease, Subscription, Unit
from farandole.log.record import NewRecord, TopicSpec
from scripts.kafka import Cluster
from scripts.ports import HOST
from tests.kafka.proxy import (
    ADD_OFFSETS,
    ADD_PARTITIONS,
    END_TXN,
    PRODUCE,
    TXN_OFFSET_COMMIT,
    Deed,
    Fault,
    Proxy,
    proxied,
)

pytestmark = pytest.mark.slow

DEEDS: dict[int, Deed] = {3: "lose request", 6: "lose answer", 9: "delay"}
"""By the commit that meets it."""
COMMITS = 12


@asynccontextmanager
async def through(before: tuple[Cluster, int]) -> AsyncIterator[tuple[KafkaLog, Proxy]]:
    """A log of its own behind the proxy."""
    cluster, port = before
    host, _, real = cluster.bootstrap.partition(":")
    async with proxied(port, (host, int(real))) as proxy:
        log = await KafkaLog.open(f"kafka://{HOST}:{port}/p{uuid.uuid4().hex[:8]}?lease=6")
        try:
            yield log, proxy
        finally:
            await log.close()


async def hold(log: KafkaLog) -> tuple[Subscription, Lease]:
    """The only partition of a topic with something in it."""
    await log.ensure([TopicSpec("work"), TopicSpec("out")])
    await log.append([NewRecord("work", b"%d" % n) for n in range(COMMITS)])
    subscription = await log.subscribe(Interest("shop/pack", "work"))
    async with asyncio.timeout(60):
        while not (granted := (await subscription.poll(limit=0, timeout=1.0)).granted):
            pass
    return subscription, granted[0]


@pytest.mark.parametrize("api", [PRODUCE, ADD_PARTITIONS, ADD_OFFSETS, TXN_OFFSET_COMMIT, END_TXN])
async def test_each_commit_is_there_once(before: tuple[Cluster, int], api: int) -> None:
    """Commits go on one after the other; all return without a fence, and their outputs stand once, in order."""
    async with through(before) as (log, proxy):
        subscription, lease = await hold(log)
        faults = {number: Fault(api, deed, seconds=3.0 if deed == "delay" else 0.0) for number, deed in DEEDS.items()}
        for number in range(COMMITS):
            if number in faults:
                proxy.inflict(faults[number])
            unit = Unit(lease, [NewRecord("out", b"%d" % number)], {"work": number + 1})
            async with asyncio.timeout(30):
                assert (await subscription.commit([unit])).fenced == []
        assert [fault.done for fault in faults.values()] == [1, 1, 1]
        assert await read(log) == [b"%d" % n for n in range(COMMITS)]
        assert (await log.committed("shop/pack"))["work", 0] == COMMITS


async def test_a_commit_that_the_client_gave_up_is_not_made_again(before: tuple[Cluster, int]) -> None:
    """The brokers commit at once; the answer is lost after the client has called its own transaction failed."""
    async with through(before) as (log, proxy):
        subscription, lease = await hold(log)
        late = proxy.inflict(Fault(END_TXN, "lose answer", seconds=TRANSACTION + 2.0))
        unit = Unit(lease, [NewRecord("out", b"0")], {"work": 1})
        async with asyncio.timeout(60):
            assert (await subscription.commit([unit])).fenced == []
        assert late.done == 1
        assert await read(log, 1) == [b"0"]
        assert (await log.committed("shop/pack"))["work", 0] == 1


async def read(log: KafkaLog, count: int = COMMITS) -> list[bytes | None]:
    """What was put out, once nothing is open any more."""
    reader = await log.reader(["out"])
    found: list[bytes | None] = []
    async with asyncio.timeout(30):
        while len(found) < count:
            found += [record.value for record in await reader.poll(timeout=1.0)]
    found += [record.value for record in await reader.poll(timeout=0.5)]
    return found
