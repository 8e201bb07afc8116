"""What the cluster has and what it still needs: the journal's shape, and our topics, made to fit it."""

import asyncio
import logging
from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from sla_watcher import breach, journal
from sla_watcher.beat import beat
from sla_watcher.settings import Settings

log = logging.getLogger(__name__)

WINDOWS, LEDGER = "windows", "ledger"  # our tables
_LOOK = 2.0  # seconds between two looks for the journal
_KEPT = str(7 * 24 * 3600 * 1000)  # milliseconds; whoever is away for longer misses parts of windows


class Shape(NamedTuple):
    """Partitions and copies of the journal."""

    partitions: int
    copies: int


def closed_topic(settings: Settings) -> str:
    """Where each journal partition's part of a window goes when it is over."""
    return f"{settings.group}-closed"


async def prepare(settings: Settings) -> Shape:
    """Wait for the journal, and make what is missing of ours. Raises aiokafka's KafkaError."""
    admin = AIOKafkaAdminClient(bootstrap_servers=list(settings.brokers))
    await admin.start()
    try:
        shape = await _journal(admin, settings)
        answer = await admin.create_topics(_wanted(settings, shape))
        for name, code, *_ in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise error(f"topic {name!r} can't be made")
        return shape
    finally:
        await admin.close()


async def _journal(admin: AIOKafkaAdminClient, settings: Settings) -> Shape:
    """Asks for all topics, for to ask for one that is missing would make it where brokers allow that."""
    name, said = settings.topic(journal.TOPIC), False
    while name not in await admin.list_topics():
        beat(settings.data)
        if not said:
            log.warning("there is no topic %r yet; the first service to start makes it, so we wait", name)
            said = True
        await asyncio.sleep(_LOOK)
    (topic,) = await admin.describe_topics([name])
    partitions = topic["partitions"]
    return Shape(len(partitions), max(len(partition["replicas"]) for partition in partitions))


def _wanted(settings: Settings, shape: Shape) -> list[NewTopic]:
    compacted = {"cleanup.policy": "compact"}
    events = {"cleanup.policy": "delete", "retention.ms": "-1", "message.timestamp.type": "LogAppendTime"}
    group = settings.group
    return [
        NewTopic(settings.topic(breach.TOPIC), shape.partitions, shape.copies, topic_configs=events),
        NewTopic(closed_topic(settings), 1, shape.copies, topic_configs={"retention.ms": _KEPT}),
        # Faust's names for what tables are restored from, with as many partitions as what feeds the table.
        NewTopic(f"{group}-{WINDOWS}-changelog", shape.partitions, shape.copies, topic_configs=compacted),
        NewTopic(f"{group}-{LEDGER}-changelog", 1, shape.copies, topic_configs=compacted),
    ]
