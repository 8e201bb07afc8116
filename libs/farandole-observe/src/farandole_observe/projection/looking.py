"""A projection's table at one moment, with what has to be said of it."""

from typing import Any, NamedTuple

from sqlalchemy import func, select

from farandole_observe.projection import keeping
from farandole_observe.projection.declare import Projection
from farandole_observe.projection.keeping import Standing
from farandole_observe.projection.rows import Rows
from farandole_observe.projection.values import Values
from farandole_observe.store.opening import Store


class Seen(NamedTuple):
    """Some rows by key, how many there are in all, and how the projection stands."""

    rows: dict[str, Values]
    number: int
    standing: Standing


async def look(projection: Projection[Any], store: Store, *, key: str | None = None, limit: int = 100) -> Seen:
    """The first rows, or that of a key; nothing is folded for it.

    Raises NotFound where nothing was ever folded, ConfigError where it was folded as another version.
    """
    rows = Rows(projection)
    async with store.reading() as connection:
        found = keeping.as_declared(projection, await keeping.standing(connection, projection.name))
        if key is not None:
            shown = await rows.load(connection, [key])
            return Seen(shown, len(shown), found)
        count = select(func.count()).select_from(projection.table)
        number = int((await connection.execute(count)).scalar_one())
        return Seen(await rows.page(connection, None, limit), number, found)


async def living_owner(projection: Projection[Any], store: Store, now: float) -> str | None:
    """Who folds it just now."""
    async with store.reading() as connection:
        found = await keeping.standing(connection, projection.name)
    return found.owner if found is not None and found.owner and found.until >= now else None
