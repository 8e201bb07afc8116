"""Removing the beginning of partitions for good, as the brokers' DeleteRecords does."""

import asyncio
from collections.abc import Mapping

from confluent_kafka import KafkaException, TopicPartition

from farandole.engines.kafka.failures import error_of, unavailable
from farandole.engines.kafka.offsets import Place
from farandole.engines.kafka.stranded import Administrator

_PATIENCE = 60.0  # seconds


async def cut(admin: Administrator, before: Mapping[Place, int]) -> dict[Place, int]:
    """Where each begins now. Raises LogUnavailable; some may be cut then, and it can be repeated."""
    asked = [TopicPartition(*place, offset) for place, offset in before.items()]
    try:
        answers = (
            admin.client.delete_records(asked, operation_timeout=_PATIENCE, request_timeout=_PATIENCE) if asked else {}
        )
        return {(tp.topic, tp.partition): (await asyncio.wrap_future(a)).low_watermark for tp, a in answers.items()}
    except KafkaException as raised:
        raise unavailable("records can't be removed", error_of(raised)) from raised
