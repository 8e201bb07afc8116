"""`farandole doctor` on a real Kafka: a log as services make it is well, and each planted defect is named."""

import asyncio
import time
import uuid
from collections import Counter

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from farandole.engines.kafka.address import read_address
from farandole.engines.kafka.clients import Clients
from farandole.engines.kafka.group_health import OLD, clock_findings, transaction_findings
from farandole.engines.keep import examine
from farandole.engines.open import open_log
from farandole.log.care import Finding
from farandole.log.ports import Interest, Unit
from farandole.log.record import NewRecord, TopicSpec
from farandole.runtime.ground import kinds
from scripts.kafka import Cluster
from tests.kafka.wire import admin, topic_settings

pytestmark = pytest.mark.slow
CHECKS = {"reachable", "version", "rights", "partitions", "groups", "transactions", "clock"}


@pytest.fixture
def space(kafka: Cluster) -> str:
    """The URL of a log of its own."""
    return f"kafka://{kafka.bootstrap}/d{uuid.uuid4().hex[:6]}"


def _failed(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.verdict == "fail"]


async def _work(url: str, *, leave: int = 0) -> None:
    """One step takes and commits what there is, and leaves so many behind."""
    log = await open_log(url)
    rows = TopicSpec("s.t.state", 1, compacted=True)
    await log.ensure([TopicSpec("taken"), TopicSpec("s.t.inbox"), rows, TopicSpec("farandole.journal")])
    await log.append([NewRecord(topic, b"x", b"k") for topic in ("taken", "taken", "farandole.journal")])
    subscription = await log.subscribe(Interest("s/t", "taken", inbox="s.t.inbox", state="s.t.state"))
    lease = None
    while lease is None:
        lease = next(iter((await subscription.poll(limit=10, timeout=1)).granted), None)
    await subscription.restore(lease)
    end = (await log.spans(["taken"]))["taken", 0].end
    await subscription.commit([Unit(lease, [], {"taken": end - leave})])
    await log.close()


async def test_a_log_as_services_make_it_is_well(space: str) -> None:
    """Nothing fails; one node's single copies are warned of. Nothing is written by looking."""
    await _work(space)
    log = await open_log(space)
    before = await log.spans([spec.name for spec in await log.topics()])
    findings = await examine(space, kinds)
    assert await log.spans([spec.name for spec in await log.topics()]) == before
    await log.close()
    assert _failed(findings) == []
    assert {finding.check for finding in findings} >= CHECKS
    assert all(finding.remedy for finding in findings if finding.verdict != "ok")


async def test_each_planted_defect_is_named(space: str, kafka: Cluster) -> None:
    """A state that is deleted by time, an inbox of another shape, producers' time, and work that nobody does."""
    outer = space.rpartition("/")[2]
    asking = admin(kafka.bootstrap)
    await _work(space, leave=1)
    new = NewTopic(f"{outer}.s.u.inbox", 3, 1), NewTopic(f"{outer}.s.u.state", 2, 1, config={"retention.ms": "9999"})
    for made in asking.create_topics(list(new)).values():
        made.result(30)
    entry = ConfigEntry("retention.ms", "86400000", incremental_operation=AlterConfigOpType.SET)
    changed = ConfigResource(ResourceType.TOPIC, f"{outer}.farandole.journal", incremental_configs=[entry])
    asking.incremental_alter_configs([changed])[changed].result(30)
    async with asyncio.timeout(30):  # the broker hears of both a moment later
        while topic_settings(kafka.bootstrap, f"{outer}.farandole.journal")["retention.ms"] != "86400000":  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
    assert topic_settings(kafka.bootstrap, f"{outer}.s.u.state")["retention.ms"] == "9999"
    findings = await examine(space, kinds)
    failed = Counter(finding.check for finding in _failed(findings))
    assert failed["cleanup.policy"] == 1
    assert failed["retention"] == 2  # the inbox has the cluster's own, a week
    assert any(f.check == "retention" and "journal" in f.said for f in _failed(findings))
    assert any(f.check == "partitions" and f.said == "s/u: s.u.inbox 3, s.u.state 2" for f in _failed(findings))
    assert any(f.check == "message.timestamp.type" and "s.u.inbox" in f.said for f in findings)
    assert any(f.check == "groups" and f.said == "s/t: nobody works on it, and 1 offsets wait" for f in findings)


async def test_an_open_transaction_is_found_by_its_age(space: str, kafka: Cluster) -> None:
    """A young one is nobody's concern; it holds readers back once it is old. Aborted, it is gone."""
    log = await open_log(space)
    await log.ensure([TopicSpec("held")])
    await log.append([NewRecord("held", b"committed", b"k")])
    await log.close()
    topic = f"{space.rpartition('/')[2]}.held"
    clients = Clients(read_address(space))
    asking = clients.admin()
    strange = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": uuid.uuid4().hex})
    strange.init_transactions(30)
    strange.begin_transaction()
    strange.produce(topic, b"open", partition=0)
    strange.flush(30)
    try:
        (young,) = await transaction_findings(clients, asking, [(topic, 0)], time.time())
        (old,) = await transaction_findings(clients, asking, [(topic, 0)], time.time() + OLD + 1)
    finally:
        strange.abort_transaction(30)
    assert (young.verdict, "1 partitions have a younger one" in young.said) == ("ok", True)
    assert (old.check, old.verdict) == ("transactions", "fail")
    assert f"{topic}/0" in old.said
    for _ in range(50):  # its marker is written a moment later
        (gone,) = await transaction_findings(clients, asking, [(topic, 0)], time.time() + OLD + 1)
        if gone.verdict == "ok":
            return
        await asyncio.sleep(0.1)
    pytest.fail("an aborted transaction is still told of")


async def test_a_clock_that_is_behind_the_brokers_is_named(space: str) -> None:
    """By the newest record's time, which is theirs."""
    await _work(space)
    asking = Clients(read_address(space)).admin()
    place = f"{space.rpartition('/')[2]}.farandole.journal", 0
    assert [f.verdict for f in await clock_findings(asking, [place], time.time())] == ["ok"]
    (behind,) = await clock_findings(asking, [place], time.time() - 3600)
    assert behind.verdict == "warn"
    assert "NTP" in behind.remedy


async def test_a_kafka_that_is_not_there_fails_with_the_place() -> None:
    """Nothing else is asked of it."""
    (finding,) = await examine("kafka://127.0.0.1:9/nowhere", kinds)
    assert (finding.check, finding.verdict) == ("reachable", "fail")
    assert "127.0.0.1:9" in finding.said
