"""Ends, beginnings and committed positions, as the brokers know them."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from farandole.engines.kafka.failures import PASSING, error_of, unavailable
from farandole.engines.kafka.note import Note, read_note

PATIENCE = 60.0
"""Seconds for an answer: brokers may be away, or an open transaction hold positions back, which they end sooner."""
_ANSWER = 5.0  # seconds for one try: who was asked may be cut off
_AGAIN = 0.05
Place = tuple[str, int]
"""Kafka's topic and partition."""


class Position(NamedTuple):
    """A committed position, and what stands beside it."""

    offset: int
    note: Note


async def listed(
    admin: AdminClient, places: Iterable[Place], spec: OffsetSpec, *, committed: bool = True
) -> dict[Place, int]:
    """Offsets by a specification; of committed records only, unless told otherwise. Raises LogUnavailable."""
    level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
    asked = {TopicPartition(*place): spec for place in places}
    if not asked:
        return {}
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            answers = admin.list_offsets(asked, isolation_level=level, request_timeout=_ANSWER)
            found = [(tp, await asyncio.wrap_future(answer)) for tp, answer in answers.items()]
        except KafkaException as raised:
            error = error_of(raised)
            if error.code() not in PASSING or time.monotonic() > deadline:
                raise unavailable("offsets can't be read", error) from raised
        else:
            return {(tp.topic, tp.partition): result.offset for tp, result in found}
        await _later(admin)


async def positions(
    admin: AdminClient, group: str, places: Iterable[Place] | None = None, *, stable: bool = True
) -> dict[Place, Position]:
    """A group's positions. Stable: none that an open transaction may still change. Raises LogUnavailable."""
    wanted = None if places is None else [TopicPartition(*place) for place in places]
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            request = [ConsumerGroupTopicPartitions(group, wanted)]
            answer = admin.list_consumer_group_offsets(request, require_stable=stable, request_timeout=_ANSWER)
            found = await asyncio.wrap_future(answer[group])
        except KafkaException as raised:
            error = error_of(raised)
            if error.code() == KafkaError.GROUP_ID_NOT_FOUND:
                return {}
        else:
            errors = [tp.error for tp in found.topic_partitions if tp.error is not None]
            if not errors:
                return _read(found.topic_partitions)
            error = errors[0]
        if error.code() not in PASSING or time.monotonic() > deadline:
            raise unavailable(f"the positions of {group!r} can't be read", error)
        if error.code() == KafkaError.UNSTABLE_OFFSET_COMMIT:
            await asyncio.sleep(_AGAIN)
        else:
            await _later(admin)


async def _later(admin: AdminClient) -> None:
    """A moment later, knowing who leads by then: left alone, the client asks the former leader for half a minute."""
    with suppress(KafkaException):
        await asyncio.to_thread(admin.list_topics, timeout=_ANSWER)
    await asyncio.sleep(_AGAIN)


def _read(found: Iterable[TopicPartition]) -> dict[Place, Position]:
    return {(tp.topic, tp.partition): Position(tp.offset, read_note(tp.metadata)) for tp in found if tp.offset >= 0}


def as_committed(found: Mapping[Place, Position]) -> dict[Place, int]:
    """Those that count."""
    return {place: position.offset for place, position in found.items() if position.note.begun}
