"""What the tests of brokers that ask who we are have in common."""

import asyncio
import logging
import time
import uuid

import pytest

from farandole.engines.open import open_log
from farandole.events.errors import LogUnavailable
from farandole.log.ports import Interest, Log, Unit
from farandole.log.record import NewRecord, TopicSpec

CANARY = "canary-9b2e7d"
SOON = 10.0  # seconds in which a refusal is said
LOGIN = "org.apache.kafka.common.security"


def url_of(port: int, query: str, host: str = "127.0.0.1") -> str:
    """A log of its own."""
    return f"kafka://{host}:{port}/s{uuid.uuid4().hex[:6]}?{query}"


async def dance(log: Log) -> None:
    """Topics, an append, a group, a transaction with a position, and both ways of reading."""
    await log.ensure([TopicSpec("taken"), TopicSpec("given"), TopicSpec("rows", 1, compacted=True)])
    (place,) = await log.append([NewRecord("taken", b"one", b"k")])
    subscription = await log.subscribe(Interest("svc/step", "taken", state="rows"))
    lease = None
    async with asyncio.timeout(30):
        while lease is None:
            lease = next(iter((await subscription.poll(limit=10, timeout=1)).granted), None)
        assert await subscription.restore(lease) == []
        while not (records := (await subscription.poll(limit=10, timeout=1)).records):
            pass
    assert [record.value for record in records] == [b"one"]
    outputs = [NewRecord("given", b"two", b"k"), NewRecord("rows", b"r", b"k", partition=0)]
    assert not (await subscription.commit([Unit(lease, outputs, {"taken": place.offset + 1})])).fenced
    assert await log.committed("svc/step") == {("taken", 0): place.offset + 1}
    reader = await log.reader(["given"])
    assert [record.value for record in await reader.poll(timeout=10)] == [b"two"]
    fetched = await log.fetch(*place)
    assert fetched is not None
    assert fetched.value == b"one"


async def refused(url: str, caplog: pytest.LogCaptureFixture, secret: str) -> str:
    """What is said where nobody lets us in: soon, and without the secret."""
    caplog.set_level(logging.DEBUG)
    began = time.monotonic()
    with pytest.raises(LogUnavailable) as refused:
        await open_log(url)
    assert time.monotonic() - began < SOON
    assert secret not in caplog.text
    assert secret not in f"{refused.value!r} {refused.value.__cause__!r}"
    return str(refused.value)
