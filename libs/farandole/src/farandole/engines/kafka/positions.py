"""A group's committed positions, and the notes beside them, as the brokers know them.

Read by a consumer that is no member: the administrator's client of librdkafka 2.16 ends the process when it asks a
broker that has just ceased to coordinate the group (it looks for a membership that such a client has not).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from farandole.engines.kafka.clients import Clients
from farandole.engines.kafka.failures import PASSING, error_of, unavailable
from farandole.engines.kafka.note import Note, read_note
from farandole.engines.kafka.offsets import Place
from farandole.engines.kafka.worker import Worker

PATIENCE = 60.0
"""Seconds for an answer: brokers may be away, or an open transaction hold positions back, which they end sooner."""
_ANSWER = 5.0  # seconds for one try
_AGAIN = 0.05


class Position(NamedTuple):
    """A committed position, and what stands beside it."""

    offset: int
    note: Note


class Positions:
    """Of one group; Kafka's name of it."""

    def __init__(self, clients: Clients, group: str) -> None:
        self._clients, self._group = clients, group
        self._worker = Worker("positions")
        self._onlookers: dict[bool, Consumer] = {}

    async def of(self, places: Iterable[Place], *, stable: bool = True) -> dict[Place, Position]:
        """Those that were ever committed. Stable: none that an open transaction may still change.

        Raises LogUnavailable.
        """
        wanted = [TopicPartition(*place) for place in places]
        deadline = time.monotonic() + PATIENCE
        while wanted:
            found = await self._worker.do(self._ask, wanted, stable)
            if not isinstance(found, KafkaError):
                return found
            if found.code() == KafkaError.GROUP_ID_NOT_FOUND:
                break
            if found.code() not in PASSING or time.monotonic() > deadline:
                raise unavailable(f"the positions of {self._group!r} can't be read", found)
            await asyncio.sleep(_AGAIN)
        return {}

    async def close(self) -> None:
        """Disconnect."""
        for onlooker in self._onlookers.values():
            await self._worker.do(onlooker.close)
        self._worker.end()

    def _ask(self, wanted: list[TopicPartition], stable: bool) -> dict[Place, Position] | KafkaError:
        if stable not in self._onlookers:
            self._onlookers[stable] = self._clients.onlooker(self._group, stable=stable)
        try:
            answer = self._onlookers[stable].committed(wanted, _ANSWER)
        except KafkaException as raised:
            return error_of(raised)
        errors = [tp.error for tp in answer if tp.error is not None]
        return errors[0] if errors else _read(answer)


@asynccontextmanager
async def positions_of(clients: Clients, group: str) -> AsyncIterator[Positions]:
    """For one look."""
    positions = Positions(clients, group)
    try:
        yield positions
    finally:
        await positions.close()


def _read(found: Iterable[TopicPartition]) -> dict[Place, Position]:
    return {(tp.topic, tp.partition): Position(tp.offset, read_note(tp.metadata)) for tp in found if tp.offset >= 0}


def as_committed(found: Mapping[Place, Position]) -> dict[Place, int]:
    """Those that count."""
    return {place: position.offset for place, position in found.items() if position.note.begun}
