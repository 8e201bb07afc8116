"""Programs that know nothing of us join the dance: they write CloudEvents headers, and the order of keys is kept."""

import asyncio
import json
import shutil
import subprocess
import uuid
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaProducer

from farandole.client import AsyncClient
from scripts.kafka import Cluster
from tests.kafka.dancers import packing
from tests.kafka.serving import awaited, serving

pytestmark = pytest.mark.slow

CUSTOMERS = [f"customer-{n}" for n in range(7)]
SERVICES = {"tests.kafka.dancers:packing": packing}
TOPIC = "order.placed"


def url_of(kafka: Cluster) -> tuple[str, str]:
    """A log of its own, and its namespace."""
    namespace = f"f{uuid.uuid4().hex[:8]}"
    return f"kafka://{kafka.bootstrap}/{namespace}?lease=3", namespace


def headers_of(event_id: str, source: str) -> list[tuple[str, bytes]]:
    """CloudEvents in binary mode."""
    said = {"specversion": "1.0", "id": event_id, "source": source, "type": f"{TOPIC}.v1"}
    return [("content-type", b"application/json"), *((f"ce_{name}", text.encode()) for name, text in said.items())]


async def packed(url: str, count: int) -> dict[str, list[int]]:
    """Numbers per customer, in the order in which they were packed, once so many are there."""
    found: dict[str, list[int]] = {}
    for record in await awaited(url, "order.packed", count, within=60):
        data = json.loads(record.value or b"")
        found.setdefault(data["customer"], []).append(data["number"])
    return found


async def test_an_aiokafka_producer_starts_workflows_and_keeps_the_order_of_its_keys(kafka: Cluster) -> None:
    """With nothing but its defaults; each event is a workflow of its own, which completes."""
    url, namespace = url_of(kafka)
    async with serving(url, SERVICES):
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
        await producer.start()
        for number in range(70):
            customer = CUSTOMERS[number % 7]
            value = json.dumps({"customer": customer, "number": number}).encode()
            headers = headers_of(f"order-{number}", "elsewhere")
            await producer.send(f"{namespace}.{TOPIC}", value, customer.encode(), headers=headers)
        await producer.stop()
        assert await packed(url, 70) == {c: list(range(n, 70, 7)) for n, c in enumerate(CUSTOMERS)}
        async with AsyncClient(url) as client:
            states = await client.workflows()
    assert len(states) == 70
    assert {state.status for state in states} == {"complete"}


def kcat(kafka: Cluster, topic: str, headers: Sequence[tuple[str, bytes]], key: str, value: str) -> None:
    """One event on standard input."""
    given = [part for name, text in headers for part in ("-H", f"{name}={text.decode()}")]
    subprocess.run(
        ["kcat", "-P", "-b", kafka.bootstrap, "-t", topic, "-X", "topic.partitioner=murmur2_random", "-K", "|", *given],
        input=f"{key}|{value}",
        text=True,
        check=True,
        timeout=30,
    )


async def test_kcat_starts_workflows_beside_our_own_client(kafka: Cluster) -> None:
    """Both write the same keys in turn, and whoever wrote an event, those of its key are packed in their order."""
    assert shutil.which("kcat"), "kcat has to be installed"
    url, namespace = url_of(kafka)
    async with serving(url, SERVICES), AsyncClient(url) as client:
        for number in range(8):
            customer = CUSTOMERS[number // 2 % 2]
            data = {"customer": customer, "number": number}
            if number % 2:
                headers = headers_of(f"order-{number}", "shell")
                await asyncio.to_thread(kcat, kafka, f"{namespace}.{TOPIC}", headers, customer, json.dumps(data))
            else:
                await client.publish(TOPIC, data, id=f"order-{number}", source="ours")
        assert await packed(url, 8) == {CUSTOMERS[0]: [0, 1, 4, 5], CUSTOMERS[1]: [2, 3, 6, 7]}
