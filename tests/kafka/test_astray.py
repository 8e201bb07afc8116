"""A reader that is told that what it wants is not there: gone is said at once, not there yet is waited for."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from farandole.engines.kafka import astray
from farandole.engines.kafka.astray import HEARS
from farandole.engines.kafka.log import KafkaLog
from farandole.engines.kafka.reader import KafkaReader
from farandole.events.errors import LogError
from farandole.log.record import NewRecord, TopicSpec
from scripts.kafka import Cluster

pytestmark = pytest.mark.slow

SOON = 3.0  # seconds
THERE, AHEAD = 3, 5
"""Records of the log, and where the reader stands: as after a broker that knows more, asking one that knows less."""


@pytest.fixture
def namespace() -> str:
    """Of a log of our own."""
    return f"a{uuid.uuid4().hex[:8]}"


@pytest.fixture
async def log(kafka: Cluster, namespace: str) -> AsyncIterator[KafkaLog]:
    """With a few records."""
    log = await KafkaLog.open(f"kafka://{kafka.bootstrap}/{namespace}")
    try:
        await log.ensure([TopicSpec("work")])
        await log.append([NewRecord("work", b"%d" % n) for n in range(THERE)])  # and what ends it takes an offset
        yield log
    finally:
        await log.close()


async def read_on(reader: KafkaReader, within: float) -> None:
    """Until it raises, or its seconds are over."""
    async with asyncio.timeout(within):
        while True:
            await reader.poll(timeout=1.0)


async def test_what_is_not_there_yet_is_waited_for(log: KafkaLog) -> None:
    """The broker hears of it a moment later, and nothing is skipped."""
    reader = await log.reader(["work"], {("work", 0): AHEAD})
    begun = time.monotonic()
    while time.monotonic() - begun < HEARS / 5:
        assert await reader.poll(timeout=0.2) == []
    for number in (b"a", b"b"):
        await log.append([NewRecord("work", number)])
    async with asyncio.timeout(HEARS):
        while not (found := await reader.poll(timeout=1.0)):
            pass
    assert (found[0].offset, found[0].value) == (AHEAD, b"b")


async def test_what_never_comes_is_said(log: KafkaLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is shorter than what was read has lost something: fatal, and with where it begins."""
    monkeypatch.setattr(astray, "HEARS", SOON)
    reader = await log.reader(["work"], {("work", 0): AHEAD})
    begun = time.monotonic()
    with pytest.raises(LogError, match=r"no longer holds.*work/0 begins at 0"):
        await read_on(reader, 5 * SOON)
    assert time.monotonic() - begun > SOON


async def test_what_was_deleted_is_said_at_once(kafka: Cluster, namespace: str, log: KafkaLog) -> None:
    """No broker that lags behind has deleted more than the others."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for answer in admin.delete_records([TopicPartition(f"{namespace}.work", 0, 2)]).values():
        await asyncio.wrap_future(answer)
    reader = await log.reader(["work"], {("work", 0): 1})
    with pytest.raises(LogError, match=r"work/0 begins at 2"):
        await read_on(reader, HEARS / 2)
