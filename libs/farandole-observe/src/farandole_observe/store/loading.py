"""Reading workflows back from the tables."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from farandole.fold.workflow import Shared
from farandole_observe.store import tables
from farandole_observe.store.rows import Kept, Row, restored

_AT_ONCE = 500  # names in one statement


async def load(connection: AsyncConnection, names: Collection[str], shared: Shared) -> list[Kept]:
    """Those of the workflows that the tables know, counted under the topology of `shared`."""
    kept: list[Kept] = []
    for some in _slices(names):
        t = tables.workflows
        found = [tuple(row) for row in await connection.execute(select(t).where(t.c.workflow.in_(some)))]
        if found:
            kept.extend(await _with_parts(connection, found, shared))
    return kept


async def _with_parts(connection: AsyncConnection, found: list[Row], shared: Shared) -> list[Kept]:
    names = [row[0] for row in found]
    parts: dict[str, dict[Table, Sequence[Row]]] = {
        row[0]: {tables.workflows: [row]} | {table: [] for table in tables.OF_A_WORKFLOW} for row in found
    }
    for table in tables.OF_A_WORKFLOW:
        by_name = defaultdict[str, list[Row]](list)
        for row in await connection.execute(select(table).where(table.c.workflow.in_(names))):
            by_name[row[0]].append(tuple(row))
        for name, rows in by_name.items():
            parts[name][table] = rows
    return [restored(parts[name], shared) for name in names]


def _slices(names: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
