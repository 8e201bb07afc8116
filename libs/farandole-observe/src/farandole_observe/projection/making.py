"""Making a projection's table, and starting over: from nothing, or from a snapshot."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from farandole.events.errors import ConfigError
from farandole_observe.projection import keeping, snapshots
from farandole_observe.projection.declare import Projection
from farandole_observe.projection.keeping import Turn
from farandole_observe.projection.rows import Rows, drop
from farandole_observe.projection.snapshots import Snapshot
from farandole_observe.store.opening import Store


async def prepare(connection: AsyncConnection, projection: Projection[Any], turn: Turn) -> int:
    """Have a table of this version, within the transaction that took the turn; the version that was there, 0: none.

    Raises ConfigError where the same version was declared otherwise, or the table is not the projection's.
    """
    found = await keeping.standing(connection, projection.name)
    before = 0 if found is None else found.version
    if found is not None and before == projection.version:
        keeping.check_same(projection, found)
    else:
        await start_over(connection, projection, turn)
    return before


async def start_over(
    connection: AsyncConnection, projection: Projection[Any], turn: Turn, snapshot: Snapshot | None = None
) -> None:
    """Drop its table and make it anew, empty and at the beginning of the log, or as the snapshot has it.

    Raises ConfigError where a table of this name is not the projection's.
    """
    found = await keeping.standing(connection, projection.name)
    other = await keeping.other_of(connection, projection.name, projection.table.name)
    if other is not None:
        raise ConfigError(f"table {projection.table.name!r} is projection {other!r}'s; give another name")
    if found is not None and found.table:
        await drop(connection, found.table)
    rows = Rows(projection)
    await rows.make(connection)
    await keeping.forget_positions(connection, projection.name)
    declared = {"version": projection.version, "declared": projection.declared, "table": projection.table.name}
    fresh = {"seen": 0.0, "cut": 0, "unread": 0, "stopped": ""}
    if snapshot is not None:
        fresh |= {"cut": snapshot.cut, "unread": snapshot.unread}
        async for page in snapshots.pages(connection, projection, snapshot.number):
            await rows.write(connection, page, page.keys())
        await keeping.move(connection, projection.name, snapshot.positions)
    await keeping.hold(connection, turn, **declared, **fresh)


async def rebuild(projection: Projection[Any], store: Store, *, from_snapshot: bool = False) -> int | None:
    """Take the projection from whoever folds it, and start over; who folds it next begins there.

    The number of the snapshot that it begins from, or None. Raises NotFound where there is no such snapshot.
    """
    async with store.writing() as connection:
        turn = await keeping.seize(connection, projection.name)
        snapshot = await snapshots.latest(connection, projection) if from_snapshot else None
        if turn is not None:
            await start_over(connection, projection, turn, snapshot)
    return None if snapshot is None else snapshot.number
