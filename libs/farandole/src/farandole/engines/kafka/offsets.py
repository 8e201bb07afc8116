"""Ends and beginnings, as the brokers know them."""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from farandole.engines.kafka.failures import PASSING, error_of, unavailable
from farandole.engines.kafka.stranded import Administrator

PATIENCE = 60.0
"""Seconds for an answer: brokers may be away."""
_ANSWER = 5.0  # seconds for one try: who was asked may be cut off
_AGAIN = 0.05
Place = tuple[str, int]
"""Kafka's topic and partition."""


async def listed(
    admin: Administrator, places: Iterable[Place], spec: OffsetSpec, *, committed: bool = True
) -> dict[Place, int]:
    """Offsets by a specification; of committed records only, unless told otherwise. Raises LogUnavailable."""
    exact = spec in (OffsetSpec.earliest(), OffsetSpec.latest())  # a time may have none; librdkafka may give none else
    level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
    asked = {TopicPartition(*place): spec for place in places}
    if not asked:
        return {}
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            answers = admin.client.list_offsets(asked, isolation_level=level, request_timeout=_ANSWER)
            found = [(tp, await asyncio.wrap_future(answer)) for tp, answer in answers.items()]
        except KafkaException as raised:
            error = error_of(raised)
            if error.code() not in PASSING or time.monotonic() > deadline:
                raise unavailable("offsets can't be read", error) from raised
        else:
            offsets = {(tp.topic, tp.partition): result.offset for tp, result in found}
            if not exact or min(offsets.values()) >= 0:
                return offsets
            if time.monotonic() > deadline:
                raise unavailable("offsets can't be read", KafkaError(KafkaError._NOENT, f"none is given: {offsets}"))
        await _later(admin)


async def _later(admin: Administrator) -> None:
    """A moment later, knowing who leads by then: left alone, the client asks the former leader for half a minute."""
    with suppress(KafkaException):
        await asyncio.to_thread(admin.list_topics, _ANSWER)
    await asyncio.sleep(_AGAIN)
