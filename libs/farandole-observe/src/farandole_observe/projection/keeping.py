"""What the store keeps of a projection beside its rows: whose it is, how far it came, what it was declared as."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from farandole.events.errors import ConfigError, NotFound
from farandole.log.record import TopicPartition
from farandole_observe.projection.declare import Projection
from farandole_observe.store import tables
from farandole_observe.store.bulk import upsert

_CLAIM = text(
    'INSERT INTO projections (name, epoch, owner, until, version, declared, "table", seen, cut, unread, stopped)'
    " VALUES (:name, 1, :owner, :until, 0, '', '', 0, 0, 0, '')"
    " ON CONFLICT (name) DO UPDATE SET epoch = projections.epoch + 1, owner = excluded.owner, until = excluded.until"
    " WHERE projections.until < :now OR projections.owner = excluded.owner RETURNING epoch"
)


class Stands(NamedTuple):
    """How far a projection is in a partition. `next`: the first offset that is not folded; `time`: nothing that is
    folded was taken by the log after that.
    """

    next: int
    time: float


Positions = Mapping[TopicPartition, Stands]


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to fold a projection, until another takes it with a higher epoch."""

    name: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A projection as the store has it; see `store.tables.projections`."""

    owner: str
    until: float
    version: int
    declared: str
    table: str
    seen: float
    cut: int
    unread: int
    stopped: str


async def claim(connection: AsyncConnection, name: str, owner: str, *, now: float, until: float) -> Turn | None:
    """Take what is nobody's, one's own, or whose owner was not heard of since `until`; None: it is another's."""
    given = {"name": name, "owner": owner, "now": now, "until": until}
    epoch = (await connection.execute(_CLAIM, given)).scalar()
    return None if epoch is None else Turn(name, epoch)


async def hold(connection: AsyncConnection, turn: Turn, **values: Any) -> bool:
    """Keep the turn, first of all in the transaction that writes, and set these columns; False: another has it."""
    t = tables.projections
    held = update(t).where(t.c.name == turn.name, t.c.epoch == turn.epoch).values(**values)
    return (await connection.execute(held)).rowcount == 1


async def locked(connection: AsyncConnection, projection: Projection[Any]) -> Standing:
    """What is known of it, while nobody else can write until this transaction ends.

    Raises NotFound where it was never folded, ConfigError where another version was.
    """
    t = tables.projections
    await connection.execute(update(t).where(t.c.name == projection.name).values(epoch=t.c.epoch))
    return as_declared(projection, await standing(connection, projection.name))


def as_declared(projection: Projection[Any], found: Standing | None) -> Standing:
    """What is known of it, where it was folded as it is declared now. Raises NotFound, ConfigError."""
    if found is None or not found.version:
        raise NotFound(
            f"projection {projection.name!r} was never folded into this store; `farandole projection run` does it"
        )
    if found.version != projection.version:
        raise ConfigError(
            f"projection {projection.name!r} is version {projection.version} here, and its table version "
            f"{found.version}; start `farandole projection run` with this one, and end it with the other"
        )
    check_same(projection, found)
    return found


def check_same(projection: Projection[Any], found: Standing) -> None:
    """Raises ConfigError where the same version was declared otherwise."""
    if found.declared != projection.declared:
        raise ConfigError(
            f"projection {projection.name!r}: table or events are not those that version {projection.version} was "
            f"folded with; raise version= to {projection.version + 1}, and it is folded anew"
        )


async def seize(connection: AsyncConnection, name: str) -> Turn | None:
    """Take it from whoever has it, and be nobody yourself: the next one who asks has it. None: it was never kept."""
    t = tables.projections
    taken = update(t).where(t.c.name == name).values(epoch=t.c.epoch + 1, owner="", until=0.0).returning(t.c.epoch)
    epoch = (await connection.execute(taken)).scalar()
    return None if epoch is None else Turn(name, epoch)


async def standing(connection: AsyncConnection, name: str) -> Standing | None:
    """What is known of it; None: it was never kept."""
    t = tables.projections.c
    columns = (t.owner, t.until, t.version, t.declared, t.table, t.seen, t.cut, t.unread, t.stopped)
    found = (await connection.execute(select(*columns).where(t.name == name))).one_or_none()
    return None if found is None else Standing(*found)


async def other_of(connection: AsyncConnection, name: str, table: str) -> str | None:
    """Another projection that made a table of this name."""
    t = tables.projections.c
    found = select(t.name).where(t.table == table, t.name != name).limit(1)
    return (await connection.execute(found)).scalar()


async def positions(connection: AsyncConnection, name: str) -> dict[TopicPartition, Stands]:
    """How far it is, by partition."""
    t = tables.projection_positions.c
    found = await connection.execute(select(t.topic, t.partition, t.next, t.time).where(t.name == name))
    return {(topic, partition): Stands(following, time) for topic, partition, following, time in found}


async def move(connection: AsyncConnection, name: str, after: Positions) -> None:
    """It is so far now."""
    places = [(name, *place, *stands) for place, stands in sorted(after.items())]
    await upsert(connection, tables.projection_positions, places)


async def forget_positions(connection: AsyncConnection, name: str) -> None:
    """It is at the beginning."""
    await connection.execute(delete(tables.projection_positions).where(tables.projection_positions.c.name == name))
