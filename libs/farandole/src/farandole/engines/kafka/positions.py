"""A group's committed positions, and the notes beside them, as the brokers know them.

Read by a consumer that is no member: the administrator's client of librdkafka 2.16 ends the process when it asks a
broker that has just ceased to coordinate the group (it looks for a membership that such a client has not).
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from farandole.engines.kafka.clients import Clients
from farandole.engines.kafka.failures import PASSING, error_of, unavailable
from farandole.engines.kafka.note import Note, read_note
from farandole.engines.kafka.offsets import Place
from farandole.engines.kafka.stranded import UNREACHED
from farandole.engines.kafka.worker import Worker

PATIENCE = 60.0
"""Seconds for an answer: brokers may be away, or an open transaction hold positions back, which they end sooner."""
_ANSWER = 5.0  # seconds for one try
_MOMENT = 1.0  # seconds that the marks of a transaction that has just ended may take
_AGAIN = 0.05
_PASSING = PASSING | {KafkaError._AUTHENTICATION}  # whoever asks was let in once; between two tokens it may be refused


class Position(NamedTuple):
    """A committed position, and what stands beside it."""

    offset: int
    note: Note


class Positions:
    """Of one group; Kafka's name of it. `proof`: and of a topic in whose first partition it may prove what it reads."""

    def __init__(self, clients: Clients, group: str, proof: str = "") -> None:
        self._clients, self._group, self._proof = clients, group, proof
        self._worker = Worker("positions")
        self._onlookers: dict[bool, Consumer] = {}

    async def proven(self, places: Iterable[Place], proof: Callable[[], Awaitable[Position]]) -> dict[Place, Position]:
        """Stable ones that hold whatever was committed before; `proof` commits there, and says what.

        A broker that was cut off or stood still takes itself for the group's coordinator until it hears otherwise,
        and answers with positions of before. What we have just committed, only the true one knows.
        """
        here, deadline = (self._proof, 0), time.monotonic() + PATIENCE
        while True:
            wanted = await proof()
            found = await self.of([*places, here])
            if found.pop(here, None) == wanted:
                return found
            if time.monotonic() > deadline:
                error = KafkaError(KafkaError.NOT_COORDINATOR, "what was just committed is not among them")
                raise unavailable(f"the positions of {self._group!r} can't be read", error)
            await asyncio.sleep(random.uniform(_AGAIN, 5 * _AGAIN))  # another member may have proven itself just now

    async def of(self, places: Iterable[Place], *, stable: bool = True) -> dict[Place, Position]:
        """Those that were ever committed. Stable: none that an open transaction may still change.

        They may be of before. Raises LogUnavailable.
        """
        wanted = [TopicPartition(*place) for place in places]
        deadline = time.monotonic() + PATIENCE
        while wanted:
            found = await self._worker.do(self._ask, wanted, stable, _ANSWER)
            if not isinstance(found, KafkaError):
                return found
            if found.code() == KafkaError.GROUP_ID_NOT_FOUND:
                break
            if found.code() not in _PASSING or time.monotonic() > deadline:
                raise unavailable(f"the positions of {self._group!r} can't be read", found)
            await asyncio.sleep(_AGAIN)
        return {}

    async def lately(self, places: Sequence[Place]) -> dict[Place, Position]:
        """Stable ones, or, where a transaction stays open for longer than a moment, those of before it."""
        wanted = [TopicPartition(*place) for place in places]
        found = await self._worker.do(self._ask, wanted, True, _MOMENT) if wanted else {}
        return await self.of(places, stable=False) if isinstance(found, KafkaError) else found

    async def close(self) -> None:
        """Disconnect."""
        for onlooker in self._onlookers.values():
            await self._worker.do(onlooker.close)
        self._worker.end()

    def _ask(self, wanted: list[TopicPartition], stable: bool, within: float) -> dict[Place, Position] | KafkaError:
        if stable not in self._onlookers:
            self._onlookers[stable] = self._clients.onlooker(self._group, stable=stable)
        try:
            answer = self._onlookers[stable].committed(wanted, within)
        except KafkaException as raised:
            error = error_of(raised)
            if error.code() in UNREACHED:
                del self._onlookers[stable]
            return error
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
