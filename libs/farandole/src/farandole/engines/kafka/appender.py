"""Appends, in the order of their calls: one record alone by an idempotent producer, several as one transaction."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from farandole.engines.kafka.catalog import Catalog
from farandole.engines.kafka.clients import RECORD_LIMIT, SILENCE, TRANSACTION, Clients
from farandole.engines.kafka.convert import check_size
from farandole.engines.kafka.failures import error_of, unavailable
from farandole.engines.kafka.names import Names
from farandole.engines.kafka.stranded import answered
from farandole.engines.kafka.transactor import Aborted, Transactor, Unknown
from farandole.engines.kafka.worker import Worker
from farandole.events.errors import FarandoleError, LogUnavailable, RecordRefused
from farandole.log.identities import Identities
from farandole.log.ports import Clock
from farandole.log.record import NewRecord, Place


class _Request(NamedTuple):
    records: Sequence[NewRecord]
    identities: Sequence[bytes | None]
    answer: "asyncio.Future[list[Place]]"


class Appender:
    """One handle's appends; its memory of identities is its own, for Kafka has none."""

    def __init__(self, clients: Clients, catalog: Catalog, names: Names, transactor: Transactor, clock: Clock) -> None:
        self._clients, self._catalog, self._names, self._clock = clients, catalog, names, clock
        self._transactor = transactor
        self._worker = Worker("append")
        self._single: Producer | None = None
        self._doubted = 0.0  # when it has been idle for so long that the brokers may all have gone and come back
        self._known = Identities()
        self._queue: deque[_Request] = deque()
        self._running: asyncio.Task[None] | None = None
        self._closed = False

    async def append(self, records: Sequence[NewRecord], identities: Sequence[bytes | None]) -> list[Place]:
        """See `Log.append`."""
        request = _Request(records, identities, asyncio.get_running_loop().create_future())
        self._queue.append(request)
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())
        return await request.answer

    def close(self) -> None:
        """What waits fails; what is under way ends."""
        self._closed = True
        while self._queue:
            _settle(self._queue.popleft(), LogUnavailable("the log was closed before this was appended"))
        self._worker.end()

    async def _run(self) -> None:
        try:
            while self._queue:
                request = self._queue.popleft()
                try:
                    _settle(request, await self._append(request))
                except FarandoleError as error:
                    _settle(request, error)
        finally:
            self._running = None

    async def _append(self, request: _Request) -> list[Place]:
        for record in request.records:
            check_size(record, RECORD_LIMIT)
        placed = await self._catalog.placed(request.records)
        firsts = self._known.firsts([record.value for record in placed], request.identities)
        new = [number for number, first in enumerate(firsts) if first is None]
        written = await self._write([placed[number] for number in new])
        places: list[Place | int] = [first if first is not None else 0 for first in firsts]
        for number, place in zip(new, written, strict=True):
            places[number] = place
            identity = request.identities[number]
            if identity is not None:
                self._known.remember(identity, placed[number].value, place, self._clock.now())
        return [_place(places, number) for number in range(len(places))]

    async def _write(self, records: list[NewRecord]) -> list[Place]:
        if not records:
            return []
        write = self._write_one if len(records) == 1 else self._write_all
        try:
            try:
                offsets = await self._worker.do(write, records)
            except Aborted:  # nothing is written; the brokers may have forgotten a producer that was idle for days
                offsets = await self._worker.do(write, records)
        except Aborted as aborted:
            raise _told(aborted.error) from aborted
        except Unknown as unknown:
            raise unavailable("whether it was appended is not known", unknown.error) from unknown
        return [Place(r.topic, r.partition or 0, offset) for r, offset in zip(records, offsets, strict=True)]

    def _write_all(self, records: list[NewRecord]) -> list[int]:
        return self._transactor.run([(self._names.outer(record.topic), record) for record in records], places=True)

    def _write_one(self, records: list[NewRecord]) -> list[int]:
        """Alone it is all or nothing by itself, and needs no transaction."""
        if self._single is None or (time.monotonic() > self._doubted and not answered(self._single, SILENCE)):
            self._single = self._clients.producer(None)
        (record,) = records
        sent: list[tuple[KafkaError | None, Message]] = []
        try:
            self._transactor.passed("before-begin")
            self._single.produce(
                self._names.outer(record.topic),
                value=record.value,
                key=record.key,
                partition=record.partition if record.partition is not None else -1,
                on_delivery=lambda error, message: sent.append((error, message)),
                headers=list(record.headers),
            )
            self._transactor.passed("after-records")
            self._single.flush(3 * TRANSACTION)
            self._doubted = time.monotonic() + SILENCE
            self._transactor.passed("after-commit")
        except (KafkaException, SystemError) as raised:
            self._single = None  # a fatal error is its last
            raise _told(error_of(_fatal(raised))) from raised
        if not sent:
            self._single = None
            raise LogUnavailable("a record was not acknowledged in time; see to the brokers, then append it again")
        error, message = sent[0]
        if error is not None:
            raise _told(error)
        return [message.offset() or 0]


def _fatal(raised: BaseException) -> BaseException:
    """What the client means: it raises a fatal error and calls back all the same, which the interpreter resents."""
    return raised.__cause__ or raised if isinstance(raised, SystemError) else raised


def _place(places: Sequence[Place | int], number: int) -> Place:
    found = places[number]
    return _place(places, found) if isinstance(found, int) else found


def _settle(request: _Request, answer: list[Place] | FarandoleError) -> None:
    if request.answer.done():
        return
    if isinstance(answer, FarandoleError):
        request.answer.set_exception(answer)
    else:
        request.answer.set_result(answer)


def _told(error: KafkaError) -> FarandoleError:
    if error.code() in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.INVALID_RECORD):
        return RecordRefused(f"the brokers refuse a record: {error.str()}")
    return unavailable("nothing was appended", error)
