"""Commits in the order in which they were called, as many in one transaction as have queued.

An abort writes nothing: what it held is committed again, without any step running again, for as long as its lease
stands. A commit whose answer was lost is looked up by its stamp.
"""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import KafkaError

from farandole.engines.kafka.catalog import Catalog
from farandole.engines.kafka.clients import RECORD_LIMIT
from farandole.engines.kafka.committer import Committer, Portion
from farandole.engines.kafka.convert import check_size
from farandole.engines.kafka.desk import Desk
from farandole.engines.kafka.failures import RIGHTS, unavailable
from farandole.engines.kafka.hold import Hold
from farandole.engines.kafka.positions import Position
from farandole.engines.kafka.takeover import Scene
from farandole.engines.kafka.transactor import Aborted, Unknown
from farandole.events.errors import FarandoleError, LogUnavailable, RecordRefused
from farandole.log.ports import Committed, Unit

PATIENCE = 60.0
"""Seconds for which a commit that the brokers do not take is tried again."""
MOST_RECORDS, MOST_BYTES = 2_000, 4_000_000
"""Of one transaction; a single larger call goes alone."""
_AGAIN = 0.05
_REFUSALS = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE,
    KafkaError.INVALID_RECORD,
    KafkaError.INVALID_MSG,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
}


class _Request(NamedTuple):
    units: Sequence[Unit]
    answer: "asyncio.Future[Committed]"


class _Ready(NamedTuple):
    request: _Request
    portions: list[Portion]
    records: int
    size: int


class Pump:
    """One subscription's commits."""

    def __init__(
        self, committer: Committer, desk: Desk, catalog: Catalog, scene: Scene, holds: Mapping[int, Hold]
    ) -> None:
        self._committer, self._desk, self._catalog = committer, desk, catalog
        self._scene, self._holds = scene, holds
        self._queue: deque[_Request] = deque()
        self._running: asyncio.Task[None] | None = None
        self._closed = False
        self.latest = time.monotonic()
        """When something was committed last."""

    async def commit(self, units: Sequence[Unit]) -> Committed:
        """See `Subscription.commit`. When one fails, those that wait behind it fail too: none overtakes it."""
        taken = [Unit(unit.lease, tuple(unit.outputs), dict(unit.positions)) for unit in units]
        request = _Request(taken, asyncio.get_running_loop().create_future())
        self._queue.append(request)
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())
        return await request.answer

    def close(self) -> None:
        """What waits fails; what is under way ends."""
        self._closed = True
        self._fail_waiting(LogUnavailable("the member was closed before this was committed"))

    async def _run(self) -> None:
        try:
            while self._queue and not self._closed:
                await self._turn()
        finally:
            self._running = None

    async def _turn(self) -> None:
        batch: list[_Ready] = []
        try:
            batch = await self._gather()
            await self._commit(batch)
        except FarandoleError as error:
            for ready in batch:
                _fail(ready.request, error)
            self._fail_waiting(error)

    async def _gather(self) -> list[_Ready]:
        """The calls of one transaction; one that is refused fails alone, and those behind it with it."""
        batch: list[_Ready] = []
        records = size = 0
        while self._queue:
            request = self._queue[0]
            try:
                ready = await self._prepare(request)
            except RecordRefused as error:
                if batch:
                    return batch  # these first
                self._queue.popleft()
                _fail(request, error)
                raise
            if batch and (records + ready.records > MOST_RECORDS or size + ready.size > MOST_BYTES):
                return batch
            if self._queue and self._queue[0] is request:
                self._queue.popleft()
                batch.append(ready)
            records, size = records + ready.records, size + ready.size
        return batch

    async def _prepare(self, request: _Request) -> _Ready:
        portions, records, size = [], 0, 0
        for unit in request.units:
            size += sum(check_size(record, RECORD_LIMIT) for record in unit.outputs)
            placed = await self._catalog.placed(unit.outputs)
            records += len(placed)
            hold = self._holds.get(unit.lease.partition)
            held = hold if hold is not None and hold.lease == unit.lease else None
            portions.append(Portion(unit, held, placed, unit.positions))
        return _Ready(request, portions, records, size)

    async def _commit(self, batch: list[_Ready]) -> None:
        portions = [portion for ready in batch for portion in ready.portions]
        fenced = await self._persist(portions)
        self.latest = time.monotonic()
        for ready in batch:
            if not ready.request.answer.done():
                ready.request.answer.set_result(Committed([unit for unit in ready.request.units if unit in fenced]))

    async def _persist(self, portions: Sequence[Portion]) -> list[Unit]:
        """Until it is committed, or nothing of it may be any more; the units whose lease is gone."""
        deadline = time.monotonic() + PATIENCE
        while True:
            stamp = uuid.uuid4().hex[:12]  # of this try alone, whatever else is committed meanwhile
            try:
                return await self._desk.do(self._committer.commit, portions, stamp)
            except Aborted as aborted:
                self._judge(aborted.error, deadline)
            except Unknown as unknown:
                if await self._looked_up(portions, stamp):
                    return []
                self._judge(unknown.error, deadline)
            self._committer.refresh()
            await asyncio.sleep(_AGAIN)

    def _judge(self, error: KafkaError, deadline: float) -> None:
        """Return where the same is to be tried again."""
        if error.code() in _REFUSALS:
            raise RecordRefused(f"the brokers refuse a record: {error.str()}")
        if error.code() in RIGHTS or time.monotonic() > deadline or self._closed:
            raise unavailable(f"{self._scene.interest.group} can't commit", error)

    async def _looked_up(self, portions: Sequence[Portion], stamp: str) -> bool:
        """Whether the transaction whose answer was lost was committed."""
        await self._desk.do(self._committer.transactor.renew)
        numbers = {p.hold.lease.partition for p in portions if p.hold is not None}
        places = [(self._scene.leased, number) for number in numbers]
        deadline = time.monotonic() + PATIENCE
        found = await self._scene.positions.proven(places, lambda: self._prove(deadline))
        there = any(position.note.stamp == stamp for position in found.values())
        if there:
            self._committer.settle(portions)
        return there

    async def _prove(self, deadline: float) -> Position:
        while True:
            try:
                return await self._desk.do(self._committer.prove, self._scene.proof)
            except (Aborted, Unknown) as failed:
                self._judge(failed.error, deadline)
                self._committer.refresh()
                await asyncio.sleep(_AGAIN)

    def _fail_waiting(self, error: FarandoleError) -> None:
        while self._queue:
            _fail(self._queue.popleft(), error)


def _fail(request: _Request, error: FarandoleError) -> None:
    if not request.answer.done():
        request.answer.set_exception(error)
