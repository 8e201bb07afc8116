"""A step that runs for many times the client's patience runs once, is not evicted, and keeps nobody else waiting."""

import json
import uuid

import pytest

from farandole.client import AsyncClient
from farandole.engines.kafka import clients
from scripts.kafka import Cluster
from tests.kafka.dancers import holding, sleeping, waiting
from tests.kafka.serving import awaited, records_of, serving

pytestmark = pytest.mark.slow

PATIENCE = 1.0  # of the client: `max.poll.interval.ms`, not below the lease
LONG = 20 * PATIENCE
SERVICES = {
    "tests.kafka.dancers:waiting": waiting,
    "tests.kafka.dancers:sleeping": sleeping,
    "tests.kafka.dancers:holding": holding,
}
DONE = ("done.loop", "done.thread", "done.process")


async def done(url: str, topic: str) -> list[str]:
    """Keys whose work is done, in the order in which it was."""
    return [json.loads(record.value or b"")["key"] for record in await records_of(url, topic)]


async def test_long_steps_run_once_and_other_keys_go_on(kafka: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the loop, in a thread, and in a process that holds the interpreter's lock: no lease is granted twice."""
    monkeypatch.setattr(clients, "MAX_POLL", PATIENCE)
    url = f"kafka://{kafka.bootstrap}/l{uuid.uuid4().hex[:8]}?lease={PATIENCE:g}"
    async with serving(url, SERVICES, partitions=1), AsyncClient(url) as client:
        long = await client.publish("work.given", {"key": "long", "seconds": LONG}, id="long")
        for n in range(5):
            await client.publish("work.given", {"key": f"short-{n}", "seconds": 0.0}, id=f"short-{n}")
        for topic in DONE:
            await awaited(url, topic, 5, within=LONG / 2)
        epochs = [lease.epoch for leases in (await client.log.leases()).values() for lease, _ in leases]
        await client.wait(long.workflow, timeout=LONG + 30)
        for topic in DONE:
            keys = await done(url, topic)
            assert sorted(keys) == ["long", *(f"short-{n}" for n in range(5))]
            assert keys[-1] == "long"
        after = [lease.epoch for leases in (await client.log.leases()).values() for lease, _ in leases]
    assert epochs == after == [1] * len(epochs)
