"""A partition that is taken away and comes back while it is being taken over is gone on with where others left it."""

import asyncio
import threading
import uuid
from typing import Any

import pytest

from farandole.engines.kafka import takeover
from farandole.engines.kafka.log import KafkaLog
from farandole.engines.kafka.subscription import KafkaSubscription
from farandole.log.ports import Interest, Lease, Unit
from farandole.log.record import NewRecord, TopicSpec
from scripts.kafka import Cluster

pytestmark = pytest.mark.slow

COUNT = 5


class Slow:
    """`takeover.holds`, whose first caller has read the positions and then stands still."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.standing, self.go_on = asyncio.Event(), asyncio.Event()
        self._real, self._first = takeover.holds, True
        monkeypatch.setattr(takeover, "holds", self._holds)

    async def _holds(self, *args: Any) -> Any:
        found = await self._real(*args)
        if self._first:
            self._first = False
            self.standing.set()
            await self.go_on.wait()
        return found


async def test_it_is_granted_once_and_its_position_never_goes_back(kafka: Cluster, monkeypatch: Any) -> None:
    """Who was slow to take it over does not begin where it stood before somebody else went on."""
    slow = Slow(monkeypatch)
    log = await KafkaLog.open(f"kafka://{kafka.bootstrap}/b{uuid.uuid4().hex[:8]}?lease=6")
    try:
        await log.ensure([TopicSpec("work"), TopicSpec("out")])
        await log.append([NewRecord("work", b"%d" % n) for n in range(COUNT)])
        subscription = await log.subscribe(Interest("shop/pack", "work"))
        assert isinstance(subscription, KafkaSubscription)
        polling = asyncio.create_task(granted(subscription, 1))
        async with asyncio.timeout(60):
            await slow.standing.wait()
        away = threading.Thread(target=away_and_back, args=[subscription])
        away.start()
        await asyncio.to_thread(away.join)
        await asyncio.wait([polling], timeout=3.0)  # another take-over, if there is one, comes to its end
        if polling.done():
            await work_off(subscription, polling.result()[0])
        slow.go_on.set()
        leases = await polling + await granted(subscription, 1, within=5.0)
        assert len(leases) == 1
        await work_off(subscription, leases[0])
        assert (await log.committed("shop/pack"))["work", 0] == COUNT
    finally:
        await log.close()


def away_and_back(subscription: KafkaSubscription) -> None:
    """As the member's thread says it, when nobody holds the partition yet."""
    subscription.revoked([0]).wait(10)
    subscription.let_go([0])
    subscription.assigned([0])


async def granted(subscription: KafkaSubscription, count: int, within: float = 60.0) -> list[Lease]:
    """So many leases, or as many as come in time."""
    found: list[Lease] = []
    try:
        async with asyncio.timeout(within):
            while len(found) < count:
                found += (await subscription.poll(limit=0, timeout=1.0)).granted
    except TimeoutError:
        pass
    return found


async def work_off(subscription: KafkaSubscription, lease: Lease) -> None:
    """Commit that all is done."""
    unit = Unit(lease, [NewRecord("out", b"all")], {"work": COUNT})
    assert (await subscription.commit([unit])).fenced == []
