"""The rows of a projection's own table: made, read, written and dropped on either database."""

from collections.abc import AsyncIterator, Iterable, Mapping, Set
from itertools import islice
from typing import Any

from sqlalchemy import Double, MetaData, Numeric, Select, Table, delete, inspect, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import DropTable

from farandole.events.errors import ConfigError
from farandole_observe.projection.columns import binder
from farandole_observe.projection.declare import Projection
from farandole_observe.projection.values import Values
from farandole_observe.store.bulk import upsert

_AT_ONCE = 500  # keys in one statement
_PAGE = 1_000  # rows


class Rows:
    """Of one projection. Every method that is given a connection may raise SQLAlchemyError."""

    def __init__(self, projection: Projection[Any]) -> None:
        self._table = projection.table
        self._key = projection.key_column
        self._columns = projection.columns

    async def load(self, connection: AsyncConnection, keys: Iterable[str]) -> dict[str, Values]:
        """Those rows of these keys that there are."""
        found: dict[str, Values] = {}
        rest = iter(sorted(keys))
        while some := list(islice(rest, _AT_ONCE)):
            found |= await self._read(connection, self._all(connection).where(self._key.in_(some)))
        return found

    async def page(self, connection: AsyncConnection, after: str | None, limit: int) -> dict[str, Values]:
        """The next rows behind this key, in the order that the database has."""
        page = self._all(connection).order_by(self._key).limit(limit)
        return await self._read(connection, page if after is None else page.where(self._key > after))

    async def pages(self, connection: AsyncConnection) -> AsyncIterator[dict[str, Values]]:
        """All rows, a thousand at a time."""
        after: str | None = None
        while page := await self.page(connection, after, _PAGE):
            yield page
            after = next(reversed(page))

    async def write(self, connection: AsyncConnection, rows: Mapping[str, Values], touched: Set[str]) -> None:
        """Let the rows of the touched keys be as they are here; of keys that are not here there are none then."""
        gone = iter(sorted(touched - rows.keys()))
        while some := list(islice(gone, _AT_ONCE)):
            await connection.execute(delete(self._table).where(self._key.in_(some)))
        binders = [binder(column, connection.dialect) for column in self._table.columns]
        names = [column.name for column in self._table.columns]
        written = []
        for key in sorted(touched & rows.keys()):
            values = {**rows[key], self._key.name: key}
            row = (values[name] for name in names)
            written.append(tuple(v if b is None or v is None else b(v) for b, v in zip(binders, row, strict=True)))
        await upsert(connection, self._table, written)

    async def make(self, connection: AsyncConnection) -> None:
        """The empty table. Raises ConfigError where there is one of this name, for it is not ours."""
        name = self._table.name
        if await connection.run_sync(lambda found: inspect(found).has_table(name)):
            raise ConfigError(f"table {name!r} is there already, and no projection made it; give another name")
        await connection.run_sync(self._table.create)

    # -- reading --------------------------------------------------------------------------------------------

    def _all(self, connection: AsyncConnection) -> Select[Any]:
        if connection.dialect.name != "sqlite":
            return select(*self._table.columns)
        # SQLite gives a double for a decimal number, and SQLAlchemy would warn of it: it is exact within its digits.
        return select(
            *(
                type_coerce(column, Double()).label(column.name) if isinstance(column.type, Numeric) else column
                for column in self._table.columns
            )
        )

    async def _read(self, connection: AsyncConnection, wanted: Select[Any]) -> dict[str, Values]:
        found = await connection.execute(wanted)
        return {row[self._key.name]: self._columns.restored(row) for row in found.mappings()}


async def drop(connection: AsyncConnection, name: str) -> None:
    """Drop a table that a projection made."""
    await connection.execute(DropTable(Table(name, MetaData()), if_exists=True))
