"""Many rows at once: statements compiled once a dialect, and run by the driver itself."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from farandole_observe.store.rows import Row

_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


async def upsert(
    connection: AsyncConnection, table: Table, rows: Sequence[Row], *, adding: bool = False, rising: str = ""
) -> None:
    """Write rows, with a value for each column, over those of the same key.

    `adding`: numbers are added to theirs. `rising`: only over rows whose column of this name is less.
    """
    if rows:
        statement = _statement(table, connection.dialect, adding=adding, rising=rising)
        await connection.exec_driver_sql(statement, list(rows))


@cache
def _statement(table: Table, dialect: Dialect, *, adding: bool, rising: str) -> str:
    insert: Any = _INSERTS[dialect.name](table)
    insert = insert.values({column.name: None for column in table.columns})
    keys = [column.name for column in table.primary_key]
    rest = [column for column in table.columns if not column.primary_key]
    given = {c.name: c + insert.excluded[c.name] if adding else insert.excluded[c.name] for c in rest}
    where = table.c[rising] < insert.excluded[rising] if rising else None
    compiled = insert.on_conflict_do_update(index_elements=keys, set_=given, where=where).compile(dialect=dialect)
    assert list(compiled.positiontup or ()) == [column.name for column in table.columns]
    return str(compiled)
