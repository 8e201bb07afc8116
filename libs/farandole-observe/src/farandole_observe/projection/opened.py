"""A projection with its log and its store: what may be asked and done of it, from a program or the command line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from farandole.engines.open import open_log
from farandole.log.ports import Log
from farandole_observe.projection import making, snapshots
from farandole_observe.projection.declare import Projection
from farandole_observe.projection.looking import Seen, living_owner, look
from farandole_observe.projection.owner import Owner
from farandole_observe.projection.past import AsOf, as_of
from farandole_observe.store.opening import Store, open_store, own_name


class Copied(NamedTuple):
    """A snapshot: its number, and how many rows it has."""

    number: int
    rows: int


class Rebuilt(NamedTuple):
    """The snapshot that was begun from, None: the beginning of the log; and how many rows there are, None: another
    process folds them.
    """

    snapshot: int | None
    rows: int | None


class OpenProjection:
    """What may be done with one. Methods raise ProjectionStopped, ConfigError, LogError and SQLAlchemyError."""

    def __init__(self, projection: Projection[Any], log: Log, store: Store, name: str = "") -> None:
        self.projection = projection
        self._log, self._store, self._name = log, store, name or own_name()

    async def catch_up(self) -> bool:
        """Fold to the present end of the log; False where another process folds it."""
        if await living_owner(self.projection, self._store, self._log.clock.now()) is not None:
            return False
        return await self._fold()

    async def look(self, *, key: str | None = None, limit: int = 100) -> Seen:
        """The first rows as they are kept, or that of a key. Raises NotFound where nothing was ever folded."""
        return await look(self.projection, self._store, key=key, limit=limit)

    def age(self, seen: Seen) -> float | None:
        """Seconds since nothing of the log was lacking in what was seen; None where that was never so."""
        return max(0.0, self._log.clock.now() - seen.standing.seen) if seen.standing.seen else None

    async def as_of(self, time: float | datetime) -> AsOf:
        """The rows that come of what the log took before a time: seconds since the epoch, or a datetime (a naive
        one is UTC). Nothing is written.
        """
        if isinstance(time, datetime):
            time = (time.replace(tzinfo=UTC) if time.tzinfo is None else time).timestamp()
        return await as_of(self.projection, self._log, self._store, time)

    async def snapshot(self, *, kept: int = snapshots.KEPT) -> Copied:
        """Keep a copy of the rows, brought up to date where nobody folds them, and the newest `kept` in all."""
        await self.catch_up()
        return Copied(*await snapshots.take(self.projection, self._store, self._log.clock.now(), kept=kept))

    async def rebuild(self, *, from_snapshot: bool = False) -> Rebuilt:
        """Drop the table and fold it again; whoever folds it is fenced, and goes on with the new one.

        Raises NotFound where there is no snapshot to begin from.
        """
        begun = await making.rebuild(self.projection, self._store, from_snapshot=from_snapshot)
        return Rebuilt(begun, (await self.look(limit=1)).number if await self._fold() else None)

    async def _fold(self) -> bool:
        owner = Owner(self.projection, self._log, self._store, self._name)
        try:
            return await owner.catch_up()
        finally:
            await owner.close()


@asynccontextmanager
async def open_projection(projection: Projection[Any], *, log: str, store: str) -> AsyncIterator[OpenProjection]:
    """A projection on the log and the store of these URLs. Raises ConfigError, LogFormatError, LogUnavailable."""
    opened_log = await open_log(log)
    try:
        opened_store = await open_store(store)
        try:
            yield OpenProjection(projection, opened_log, opened_store)
        finally:
            await opened_store.close()
    finally:
        await opened_log.close()
