"""Copies of a projection's rows with the positions that they stand for, and going back to one."""

from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from pydantic_core import from_json
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from farandole.events.errors import NotFound
from farandole.log.record import TopicPartition
from farandole_observe.projection import keeping
from farandole_observe.projection.columns import compact
from farandole_observe.projection.declare import Projection
from farandole_observe.projection.keeping import Stands
from farandole_observe.projection.rows import Rows
from farandole_observe.projection.values import Values
from farandole_observe.store import tables
from farandole_observe.store.bulk import upsert
from farandole_observe.store.opening import Store

KEPT = 3
"""Snapshots of a projection; older ones are deleted when another is taken."""
_PAGE = 1_000  # rows
_PARTS = (tables.snapshot_rows, tables.snapshot_positions, tables.snapshots)


class Snapshot(NamedTuple):
    """One that is kept. `taken`: seconds since the epoch; `cut`, `unread`: what was gone, and skipped, by then."""

    number: int
    taken: float
    cut: int
    unread: int
    positions: dict[TopicPartition, Stands]

    def is_before(self, time: float) -> bool:
        """Whether all that is in it was taken by the log before that time."""
        return all(stands.time < time for stands in self.positions.values())


async def take(projection: Projection[Any], store: Store, now: float, *, kept: int = KEPT) -> tuple[int, int]:
    """Keep a copy of the table as it is, and the newest `kept` in all; its number, and how many rows it has.

    Nobody can write to the table meanwhile, whoever owns it. Raises NotFound where nothing was folded yet,
    ConfigError where another version was.
    """
    name, columns = projection.name, projection.columns
    async with store.writing() as connection:
        found = await keeping.locked(connection, projection)
        t = tables.snapshots.c
        last = (await connection.execute(select(func.max(t.number)).where(t.name == name))).scalar()
        number = (last or 0) + 1
        row = (name, number, projection.version, projection.declared, now, found.cut, found.unread)
        await upsert(connection, tables.snapshots, [row])
        stands = (await keeping.positions(connection, name)).items()
        await upsert(connection, tables.snapshot_positions, [(name, number, *place, *s) for place, s in stands])
        count = 0
        async for page in Rows(projection).pages(connection):
            bodies = [(name, number, key, compact(columns.to_json(values))) for key, values in page.items()]
            await upsert(connection, tables.snapshot_rows, bodies)
            count += len(page)
        for table in _PARTS:
            await connection.execute(delete(table).where(table.c.name == name, table.c.number <= number - kept))
    return number, count


async def kept_of(connection: AsyncConnection, projection: Projection[Any]) -> list[Snapshot]:
    """Those of this version, oldest first."""
    t, p = tables.snapshots.c, tables.snapshot_positions.c
    places = defaultdict[int, dict[TopicPartition, Stands]](dict)
    found = select(p.number, p.topic, p.partition, p.next, p.time).where(p.name == projection.name)
    for number, topic, partition, *stands in await connection.execute(found):
        places[number][topic, partition] = Stands(*stands)
    same = t.name == projection.name, t.version == projection.version, t.declared == projection.declared
    wanted = select(t.number, t.taken, t.cut, t.unread).where(*same).order_by(t.number)
    return [Snapshot(*row, places[row[0]]) for row in await connection.execute(wanted)]


async def latest(connection: AsyncConnection, projection: Projection[Any]) -> Snapshot:
    """The newest one of this version. Raises NotFound."""
    found = await kept_of(connection, projection)
    if not found:
        raise NotFound(
            f"projection {projection.name!r}: there is no snapshot of version {projection.version} as it is declared; "
            "rebuild it from the beginning"
        )
    return found[-1]


async def pages(
    connection: AsyncConnection, projection: Projection[Any], number: int
) -> AsyncIterator[dict[str, Values]]:
    """The rows of a snapshot, a thousand at a time."""
    t, after = tables.snapshot_rows.c, None
    mine = select(t.key, t.body).where(t.name == projection.name, t.number == number).order_by(t.key)
    while True:
        wanted = mine.limit(_PAGE) if after is None else mine.where(t.key > after).limit(_PAGE)
        page = {key: projection.columns.from_json(from_json(body)) for key, body in await connection.execute(wanted)}
        if not page:
            return
        yield page
        after = next(reversed(page))
