"""Who folds a projection: one process at a time reads, folds and commits, rows and positions together."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from farandole.events.errors import Fenced, LogError, LogFormatError, LogUnavailable
from farandole.log.ports import Log, Reader
from farandole.log.record import Record, TopicPartition
from farandole_observe.projection import keeping
from farandole_observe.projection.declare import Projection
from farandole_observe.projection.folding import Folding
from farandole_observe.projection.keeping import Positions, Stands, Turn
from farandole_observe.projection.making import prepare
from farandole_observe.projection.places import Spans, beginning, check_log
from farandole_observe.projection.recorded import Unread
from farandole_observe.projection.rows import Rows
from farandole_observe.projection.values import Values
from farandole_observe.store.opening import Store
from farandole_observe.store.tables import projections
from farandole_observe.store.unbroken import to_its_end

HELD = 10.0
"""Seconds after which the projection of an owner that is not heard of is another's."""
_BATCH = 5_000  # records of one poll
_WAIT = 1.0  # seconds of one poll that finds nothing
_SLICE = 1.0  # seconds of folding after which a transaction is due, however slow the functions are
_PAUSE = 1.0  # seconds before the log, or the store, is tried again
_NAMED = 5  # skipped records of one transaction that are named one by one


class Owner:
    """Folds `projection` from `log` into `store` while it is its turn; two of one `name` take it from each other.

    Methods raise ProjectionStopped where a function of the projection fails: then all before that record is
    committed; ConfigError where store and declaration, or store and log, do not belong together.
    """

    def __init__(self, projection: Projection[Any], log: Log, store: Store, name: str) -> None:
        self.projection = projection
        self.name = name
        self._log, self._store = log, store
        self._folding, self._rows = Folding(projection), Rows(projection)
        self._turn: Turn | None = None
        self._positions: dict[TopicPartition, Stands] = {}
        self._reader: Reader | None = None
        self._followed: frozenset[TopicPartition] = frozenset()
        self._pending: Sequence[Record] = ()  # polled, and not folded yet
        self._goal: tuple[float, Spans | None] = 0.0, None  # where the log ended when the turn was last kept
        self._renew = 0.0
        self._say = structlog.get_logger("farandole_observe").bind(projection=projection.name)

    async def run(self) -> None:
        """Fold, or stand by, until cancelled; as `Replica.run` where that is, log or store fail, or the log was cut."""
        try:
            while True:
                try:
                    await to_its_end(self.turn(_WAIT))
                except LogFormatError:
                    raise
                except (LogError, SQLAlchemyError, OSError) as error:
                    self._say.warning("the projection waits", reason=str(error).partition("\n")[0])
                    await self._start_again()
                    await asyncio.sleep(_PAUSE)
        finally:
            await self.close()

    async def catch_up(self) -> bool:
        """Fold to the present end of the log; False where another process does, or took over."""
        try:
            await self._take_turn()
            if self._turn is None:
                return False
            now, ends = self._clock(), await self._log.spans(self.projection.topics)
            while not self._is_at(ends):
                await self.turn(0.05)
            async with self._store.writing() as connection:
                await self._hold(connection, seen=now)
        except Fenced:
            await self._start_again()
            return False
        return True

    async def turn(self, wait: float) -> None:
        """Keep or take the turn when that is due, read for at most `wait` seconds, fold a slice of it.

        Raises Fenced where another has the projection now; then nothing was written.
        """
        if self._clock() >= self._renew:
            await self._take_turn()
        if self._turn is None:
            await asyncio.sleep(wait)
            return
        reader = self._reader or await self._open_reader()
        if not self._pending:
            self._pending = await reader.poll(limit=_BATCH, timeout=wait)
        await self._fold(reader)

    @property
    def owns(self) -> bool:
        """Whether it is its turn, as far as it knows."""
        return self._turn is not None

    async def close(self) -> None:
        """Give the projection back. Idempotent."""
        if self._turn is not None:
            with suppress(SQLAlchemyError, OSError):
                async with self._store.writing() as connection:
                    await keeping.hold(connection, self._turn, until=0.0, owner="")
        await self._start_again()

    # -- whose turn it is -----------------------------------------------------------------------------------

    def _clock(self) -> float:
        return self._log.clock.now()

    async def _take_turn(self) -> None:
        now = self._clock()
        if self._turn is None:
            await self._claim(now)
        else:
            ends = await self._log.spans(self.projection.topics)
            seen = [{"seen": when} for when, wanted in ((now, ends), self._goal) if self._is_at(wanted)]
            async with self._store.writing() as connection:
                await self._hold(connection, **(seen[0] if seen else {}))
            self._goal = now, ends
            await self._follow(ends)
        self._renew = now + HELD / 3

    async def _claim(self, now: float) -> None:
        projection = self.projection
        async with self._store.writing() as connection:
            turn = await keeping.claim(connection, projection.name, self.name, now=now, until=now + HELD)
            if turn is None:
                return
            before = await prepare(connection, projection, turn)
            positions = await keeping.positions(connection, projection.name)
        self._turn, self._positions = turn, positions
        if before not in (0, projection.version):
            self._say.warning("the table is folded anew", was_version=before, version=projection.version)

    async def _hold(self, connection: AsyncConnection, **values: Any) -> None:
        held = self._turn and await keeping.hold(connection, self._turn, until=self._clock() + HELD, **values)
        if not held:
            raise Fenced(f"projection {self.projection.name!r} is another process's now")

    async def _start_again(self) -> None:
        """Forget what may not be as the store has it."""
        self._turn, self._renew, self._pending, self._goal = None, 0.0, (), (0.0, None)
        with suppress(LogUnavailable, OSError):
            await self._end_reading()

    # -- reading --------------------------------------------------------------------------------------------

    async def _open_reader(self) -> Reader:
        """Read on; what is gone from the log is noted first."""
        spans = await self._log.spans(self.projection.topics)
        check_log(self.projection.name, spans, self._positions)
        start, gone = beginning(spans, self._positions)
        if gone:
            await self._note_gone(gone, {place: Stands(start[place], self._clock()) for place in gone})
        self._reader, self._followed = await self._log.reader(self.projection.topics, start), frozenset(spans)
        return self._reader

    async def _note_gone(self, gone: dict[TopicPartition, int], after: Positions) -> None:
        for (topic, partition), offsets in sorted(gone.items()):
            self._say.warning("history is gone that was not folded", topic=topic, partition=partition, offsets=offsets)
        async with self._store.writing() as connection:
            await self._hold(connection, cut=projections.c.cut + sum(gone.values()))
            await keeping.move(connection, self.projection.name, after)
        self._positions |= after

    async def _follow(self, ends: Spans) -> None:
        """Readers do not pick up new partitions of a topic."""
        topics = {topic for topic, _ in self._followed}
        if any(place[0] in topics for place in ends.keys() - self._followed):
            self._pending = ()
            await self._end_reading()

    async def _end_reading(self) -> None:
        if self._reader is not None:
            reader, self._reader = self._reader, None
            await reader.close()

    def _is_at(self, ends: Spans | None) -> bool:
        """Whether nothing before these ends is left to be folded; where none are known, nobody can tell."""
        if self._reader is None or self._pending or ends is None:
            return False
        stands = self._reader.positions()
        return all(stands.get(place, span.start) >= span.end for place, span in ends.items())

    # -- folding --------------------------------------------------------------------------------------------

    async def _fold(self, reader: Reader) -> None:
        """Fold what is pending, or a slice of it; rows and positions in one transaction."""
        records = self._pending
        found = self._folding.sort(records)
        rows = await self._load(found.keys)
        touched = self._folding.apply(rows, found, seconds=_SLICE)
        rest = records[found.end :]
        after = self._after(reader, records[: found.end], rest)
        if after or found.failure is not None:
            skipped = found.skipped
            news = {"unread": projections.c.unread + len(skipped), "stopped": str(found.failure or "")}
            async with self._store.writing() as connection:
                await self._hold(connection, **news)
                await self._rows.write(connection, rows, touched)
                await keeping.move(connection, self.projection.name, after)
            self._tell(skipped)
        self._positions |= after
        self._pending = rest
        if found.failure is not None:
            raise found.failure

    async def _load(self, keys: set[str]) -> dict[str, Values]:
        if not keys:
            return {}
        async with self._store.reading() as connection:
            return await self._rows.load(connection, keys)

    def _after(self, reader: Reader, folded: Sequence[Record], rest: Sequence[Record]) -> dict[TopicPartition, Stands]:
        """Where it stands behind what was folded, by partition, where that is elsewhere than before."""
        following = reader.positions() | {record.place[:2]: record.offset for record in reversed(rest)}
        times = {record.place[:2]: record.time for record in folded}
        nowhere = Stands(0, 0.0)
        after = {}
        for place, offset in following.items():
            before = self._positions.get(place, nowhere)
            if offset != before.next:
                after[place] = Stands(offset, times.get(place, before.time))
        return after

    def _tell(self, skipped: Sequence[Unread]) -> None:
        for unread in skipped[:_NAMED]:
            self._say.warning("a record is skipped", place="/".join(map(str, unread.place)), reason=unread.reason)
        if len(skipped) > _NAMED:
            self._say.warning("and more records are skipped", records=len(skipped) - _NAMED)
