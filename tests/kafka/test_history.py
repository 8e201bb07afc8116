"""History that is gone is fatal and said: nothing is skipped, and nothing done again, because somebody forgot."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from farandole.engines.kafka import astray
from farandole.engines.kafka.doctor import examine
from farandole.engines.kafka.log import KafkaLog
from farandole.events.errors import ConfigError, LogError
from farandole.log.ports import Interest, Lease, Subscription, Unit
from farandole.log.record import NewRecord, Record, TopicSpec
from farandole.runtime.ground import kinds
from scripts.kafka import Cluster

pytestmark = pytest.mark.slow

WORK = Interest("shop/pack", "work")
PATIENCE = 30.0
SOON = 3.0  # seconds


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[KafkaLog]:
    """A handle, closed in the end."""
    log = await KafkaLog.open(url)
    try:
        yield log
    finally:
        await log.close()


def url_of(kafka: Cluster) -> tuple[str, str]:
    """A log of its own, and its namespace."""
    namespace = f"h{uuid.uuid4().hex[:8]}"
    return f"kafka://{kafka.bootstrap}/{namespace}?lease=2", namespace


async def take(subscription: Subscription, count: int) -> tuple[list[Lease], list[Record]]:
    """Poll until so many records came; raises what a poll raises."""
    leases: list[Lease] = []
    records: list[Record] = []
    async with asyncio.timeout(PATIENCE):
        while len(records) < count or not leases:
            polled = await subscription.poll(limit=100, timeout=1.0)
            leases += polled.granted
            records += polled.records
    return leases, records


async def begin(log: KafkaLog, *, commit: bool) -> None:
    """Ten records, taken by the group, and committed or not; then the group leaves."""
    await log.ensure([TopicSpec("work")])
    await log.append([NewRecord("work", b"%d" % n) for n in range(10)])
    subscription = await log.subscribe(WORK)
    (lease,), records = await take(subscription, 10)
    if commit:
        await subscription.commit([Unit(lease, [], {"work": records[4].offset + 1})])
    await subscription.close()


async def forget(kafka: Cluster, group: str) -> None:
    """Delete a group, as the brokers do in time."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for answer in admin.delete_consumer_groups([group]).values():
        await asyncio.wrap_future(answer)


@pytest.mark.parametrize("commit", [True, False])
async def test_a_group_whose_positions_are_gone_does_not_begin_anew(kafka: Cluster, commit: bool) -> None:
    """Whether it had committed anything or had only begun; what to do is said."""
    url, namespace = url_of(kafka)
    async with opened(url) as log:
        await begin(log, commit=commit)
        await forget(kafka, f"{namespace}.shop/pack")
        subscription = await log.subscribe(WORK)
        with pytest.raises(
            LogError, match=r"positions of shop/pack in 'work', partitions \[0\], are gone.*reset-offsets"
        ):
            await take(subscription, 1)


async def test_positions_that_were_set_by_hand_are_obeyed(kafka: Cluster) -> None:
    """The remedy works: with Kafka's own tools, after which the group goes on from there."""
    url, namespace = url_of(kafka)
    async with opened(url) as log:
        await begin(log, commit=True)
        await forget(kafka, f"{namespace}.shop/pack")
        by_hand = AdminClient({"bootstrap.servers": kafka.bootstrap})
        await set_position(by_hand, f"{namespace}.shop/pack", TopicPartition(f"{namespace}.work", 0, 7))
        subscription = await log.subscribe(WORK)
        _, records = await take(subscription, 3)
        assert [record.value for record in records] == [b"7", b"8", b"9"]


async def set_position(admin: AdminClient, group: str, place: TopicPartition) -> None:
    """As `kafka-consumer-groups --reset-offsets --execute` does."""
    from_tools = [ConsumerGroupTopicPartitions(group, [place])]
    for answer in admin.alter_consumer_group_offsets(from_tools).values():
        await asyncio.wrap_future(answer)


async def test_records_that_were_deleted_before_they_were_handled_are_missed(kafka: Cluster) -> None:
    """Retention, or a hand, took what the group still owed: it says where it stood and where the log begins."""
    url, namespace = url_of(kafka)
    async with opened(url) as log:
        await begin(log, commit=True)
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
        for answer in admin.delete_records([TopicPartition(f"{namespace}.work", 0, 8)]).values():
            await asyncio.wrap_future(answer)
        subscription = await log.subscribe(WORK)
        with pytest.raises(LogError, match="go on at work/0/5, but the log begins at 8"):
            await take(subscription, 1)


async def test_a_log_that_is_shorter_than_what_was_handled_is_refused(
    kafka: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Grown again, it would be skipped as far as the group had come: who takes over says so instead."""
    monkeypatch.setattr(astray, "HEARS", SOON)
    url, namespace = url_of(kafka)
    async with opened(url) as log:
        await begin(log, commit=True)
        by_hand = AdminClient({"bootstrap.servers": kafka.bootstrap})
        await set_position(by_hand, f"{namespace}.shop/pack", TopicPartition(f"{namespace}.work", 0, 50))
        said = [f for f in await examine(url, kinds) if f.verdict == "fail"]
        assert [(f.check, "behind the end of the log" in f.said) for f in said] == [("groups", True)]
        subscription = await log.subscribe(WORK)
        with pytest.raises(LogError, match=r"go on at work/0/50, but the log ends at 1\d:"):
            await take(subscription, 1)


async def test_an_end_that_only_lags_behind_is_waited_for(kafka: Cluster) -> None:
    """A broker that has just begun to lead may know less for a moment: nothing is refused, skipped or done again."""
    url, namespace = url_of(kafka)
    async with opened(url) as log:
        await begin(log, commit=True)
        end = (await log.spans(["work"]))["work", 0].end
        by_hand = AdminClient({"bootstrap.servers": kafka.bootstrap})
        await set_position(by_hand, f"{namespace}.shop/pack", TopicPartition(f"{namespace}.work", 0, end + 1))
        subscription = await log.subscribe(WORK)
        waiting = asyncio.create_task(take(subscription, 1))
        await asyncio.sleep(SOON)
        assert not waiting.done()
        await log.append([NewRecord("work", b"below")])
        await log.append([NewRecord("work", b"above")])
        _, records = await waiting
        assert [record.value for record in records] == [b"above"]


async def look_until_it_fails(log: KafkaLog) -> None:
    """The other brokers may know of it a moment later."""
    async with asyncio.timeout(PATIENCE):
        while True:
            await log.spans(["work"])


async def test_a_topic_that_got_more_partitions_is_refused(kafka: Cluster) -> None:
    """Its keys lie elsewhere from then on."""
    url, namespace = url_of(kafka)
    async with opened(url) as log:
        await log.ensure([TopicSpec("work", 2)])
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
        for answer in admin.create_partitions([NewPartitions(f"{namespace}.work", 3)]).values():
            await asyncio.wrap_future(answer)
        with pytest.raises(ConfigError, match="'work' had 2 partitions and has 3 now"):
            await look_until_it_fails(log)
    async with opened(url) as later:
        with pytest.raises(ConfigError, match="'work' has 3 partitions, not 2"):
            await later.ensure([TopicSpec("work", 2)])
