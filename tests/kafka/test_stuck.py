"""A call of the client that never comes back, as librdkafka#5511 has it: the member goes on without it."""

import asyncio
import threading
import uuid
from typing import Any

import pytest
from confluent_kafka import Producer

from farandole.engines.kafka.clients import Clients
from farandole.engines.kafka.log import KafkaLog
from farandole.log.ports import Interest, Lease, Subscription, Unit
from farandole.log.record import NewRecord, TopicSpec
from scripts.kafka import Cluster
from tests.kafka.test_lost_answers import COMMITS, hold, read

pytestmark = pytest.mark.slow

AT = 4  # the commit whose call does not come back


class Stuck:
    """A producer whose sending of offsets, the `at`-th of all, waits until `released`; then it is made all the same."""

    calls = 0
    at = 0
    released: threading.Event

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    def send_offsets_to_transaction(self, *args: Any) -> None:
        Stuck.calls += 1
        if Stuck.calls == Stuck.at:
            Stuck.released.wait(120)
        self._producer.send_offsets_to_transaction(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)


@pytest.fixture(autouse=True)
def stuck(monkeypatch: pytest.MonkeyPatch) -> type[Stuck]:
    """Every producer may get stuck."""
    real = Clients.producer
    monkeypatch.setattr(Clients, "producer", lambda *given: Stuck(real(*given)))
    monkeypatch.setattr(Stuck, "calls", 0)
    monkeypatch.setattr(Stuck, "released", threading.Event(), raising=False)
    return Stuck


async def test_a_commit_that_is_stuck_is_made_anew_and_once(
    kafka: Cluster, stuck: type[Stuck], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the call comes back after all: it is of a former epoch by then."""
    monkeypatch.setattr(stuck, "at", AT + 1)  # taking over is the first
    log = await KafkaLog.open(f"kafka://{kafka.bootstrap}/s{uuid.uuid4().hex[:8]}?lease=6")
    try:
        subscription, lease = await hold(log)
        for number in range(COMMITS):
            if number == AT + 2:
                stuck.released.set()
            unit = Unit(lease, [NewRecord("out", b"%d" % number)], {"work": number + 1})
            async with asyncio.timeout(40):
                assert (await subscription.commit([unit])).fenced == []
        assert stuck.released.is_set()
        assert await read(log) == [b"%d" % n for n in range(COMMITS)]
    finally:
        await log.close()


async def test_a_partition_is_taken_over_although_a_call_is_stuck(
    kafka: Cluster, stuck: type[Stuck], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second try takes it."""
    monkeypatch.setattr(stuck, "at", 1)
    log = await KafkaLog.open(f"kafka://{kafka.bootstrap}/s{uuid.uuid4().hex[:8]}?lease=6")
    try:
        await log.ensure([TopicSpec("work")])
        subscription = await log.subscribe(Interest("shop/pack", "work"))
        lease = await granted(subscription)
        assert (await log.leases())["shop/pack"][0][0] == lease
    finally:
        stuck.released.set()
        await log.close()


async def granted(subscription: Subscription) -> Lease:
    """The first lease."""
    async with asyncio.timeout(60):
        while not (polled := await subscription.poll(limit=0, timeout=1.0)).granted:
            pass
    return polled.granted[0]
