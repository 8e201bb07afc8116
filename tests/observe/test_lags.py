"""What the steps have yet to read, whoever reads it for them: their own group, or the forwarders of their inbox."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest_asyncio

from farandole.engines.memory.cluster import Cluster
from farandole.engines.memory.log import MemoryLog
from farandole.events.codec import encode
from farandole.events.envelope import Envelope
from farandole.events.topics import JOURNAL, MANIFESTS, forwarder
from farandole.log.ports import Interest, Unit
from farandole.log.record import NewRecord, TopicSpec
from farandole.runtime.manifests import manifest_record
from farandole_observe.projector.replica import Replica
from farandole_observe.questions.asking import picture
from farandole_observe.questions.rates import Rate, rates
from farandole_observe.store.opening import MEMORY, Store, open_store
from libs.farandole.tests.unit.fold.declared import service, step, take
from tests.observe.projections import HandClock

SHOP = service(
    "shop",
    step("one", take("a", "a")),
    step("sorted", take("a", "a")),  # by a field that is not the event's key, which no manifest says
    step("all", take("bs", "b", many=True)),
    step("either", take("x", "a", "b")),
    accepts=("a", "b"),
)
STEPS = ("one", "sorted", "all", "either")


class Shop(NamedTuple):
    """A log with the steps' topics, in which nothing was handled yet."""

    log: MemoryLog
    store: Store
    clock: HandClock

    async def give(self, topic: str, partition: int, number: int) -> None:
        """So many events."""
        start = (await self.log.spans([topic]))[topic, partition].end
        ids = [f"{topic}.{partition}.{start + n}" for n in range(number)]
        parts = [encode(Envelope(event_id, "till", topic, 1, b"{}", "k")) for event_id in ids]
        await self.log.append([NewRecord(topic, value, key, headers, partition) for key, value, headers in parts])

    async def read(self, group: str, topic: str, partitions: tuple[int, ...] = (0, 1), into: str = "") -> None:
        """All that these partitions hold, as a member of the group commits it. `into`: an inbox to put it into."""
        ends = await self.log.spans([topic])
        subscription = await self.log.subscribe(Interest(group, topic))
        try:
            leases = {}
            while leases.keys() != set(partitions):
                polled = await subscription.poll(limit=100, timeout=1.0)
                leases |= {lease.partition: lease for lease in polled.granted if lease.partition in partitions}
            stands = await self.log.committed(group)
            for number, lease in leases.items():
                end = ends[topic, number].end
                found = [await self.log.fetch(topic, number, n) for n in range(stands.get((topic, number), 0), end)]
                outputs = [NewRecord(into, r.value, r.key, r.headers) for r in found if into and r is not None]
                assert (await subscription.commit([Unit(lease, outputs, {topic: end})])).fenced == []
        finally:
            await subscription.close()

    async def rates(self) -> dict[str, Rate]:
        """How each step does, after all was folded."""
        await Replica(self.log, self.store, "one").catch_up()
        async with picture(self.store, self.clock.now()) as seen:
            return {rate.step.removeprefix("shop/"): rate for rate in await rates(seen, self.log)}

    async def lags(self) -> dict[str, int | None]:
        return {name: rate.lag for name, rate in (await self.rates()).items()}


@pytest_asyncio.fixture
async def shop() -> AsyncIterator[Shop]:
    clock = HandClock()
    log, store = MemoryLog(Cluster(clock=clock)), await open_store(MEMORY)
    try:
        await log.ensure([TopicSpec(JOURNAL, 1), TopicSpec(MANIFESTS, 1, compacted=True)])
        await log.ensure([TopicSpec(name, 2) for name in ("a", "b", *(f"shop.{step}.inbox" for step in STEPS))])
        await log.append([manifest_record(SHOP)])
        yield Shop(log, store, clock)
    finally:
        await store.close()
        await log.close()


async def test_what_nobody_has_come_to_yet_lags_as_a_whole(shop: Shop) -> None:
    """A service that never ran, and a partition with its first events; in events, and in seconds."""
    assert await shop.lags() == dict.fromkeys(STEPS, 0)
    await shop.give("a", 0, 3)
    await shop.give("b", 0, 2)
    assert await shop.lags() == {"one": 3, "sorted": 3, "all": 2, "either": 5}
    await shop.read("shop/one", "a", (0,))
    assert (await shop.lags())["one"] == 0
    await shop.give("a", 1, 4)
    assert (await shop.lags())["one"] == 4
    shop.clock.time += 30.0
    seconds = {name: rate.lag_seconds(shop.clock.now()) for name, rate in (await shop.rates()).items()}
    assert seconds == dict.fromkeys(STEPS, 30.0)


async def test_what_is_re_keyed_lags_in_its_topic_and_then_in_the_inbox(shop: Shop) -> None:
    """Of a fan-in, of a step that takes either, and of one that orders its events."""
    await shop.give("a", 0, 3)
    await shop.give("b", 1, 2)
    for name, lag in (("sorted", 3), ("all", 2), ("either", 5)):
        for topic in ("a", "b"):
            if topic in {taken for taken, _ in next(s for s in SHOP.steps if s.name == name).consumed}:
                assert (await shop.lags())[name] == lag
                await shop.read(forwarder(f"shop/{name}", topic), topic, into=f"shop.{name}.inbox")
        assert (await shop.lags())[name] == lag, "it moved, and was not handled"
        await shop.read(f"shop/{name}", f"shop.{name}.inbox")
        assert (await shop.lags())[name] == 0
        assert (await shop.rates())[name].lag_seconds(shop.clock.now()) == 0.0
    await shop.give("b", 0, 1)
    assert await shop.lags() == {"one": 3, "sorted": 0, "all": 1, "either": 1}
