"""Who folds which partition of the journal, and how far: leases that fence by their epoch, in the store itself.

A clock that is wrong costs turns that are taken for nothing, never a fact: whoever lost a shard cannot commit.
"""

from dataclasses import dataclass

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from farandole.log.record import TopicPartition
from farandole_observe.store import tables
from farandole_observe.store.bulk import upsert

_CLAIM = text(
    "INSERT INTO shards (shard, epoch, owner, until, seen, cut, unknown) VALUES (:shard, 1, :owner, :until, 0, 0, 0)"
    " ON CONFLICT (shard) DO UPDATE SET epoch = shards.epoch + 1, owner = excluded.owner, until = excluded.until"
    " WHERE shards.until < :now OR shards.owner = excluded.owner RETURNING epoch"
)


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to fold a shard, until another takes it with a higher epoch."""

    shard: int
    epoch: int


async def claim(connection: AsyncConnection, shard: int, owner: str, *, now: float, until: float) -> Turn | None:
    """Take a shard that is nobody's, one's own, or whose owner was not heard of since `until`; None: another's."""
    given = {"shard": shard, "owner": owner, "now": now, "until": until}
    epoch = (await connection.execute(_CLAIM, given)).scalar()
    return None if epoch is None else Turn(shard, epoch)


async def hold(connection: AsyncConnection, turn: Turn, *, until: float, seen: float | None = None) -> bool:
    """Keep the shard until then, within the transaction that writes; False where another has taken it.

    `seen`: nothing of the log was left to be folded in at that time.
    """
    t = tables.shards
    given = {"until": until} if seen is None else {"until": until, "seen": seen}
    held = update(t).where(t.c.shard == turn.shard, t.c.epoch == turn.epoch).values(given)
    return (await connection.execute(held)).rowcount == 1


async def note_cut(connection: AsyncConnection, turn: Turn, offsets: int) -> None:
    """So many offsets of the log were gone before they were folded."""
    t = tables.shards
    await connection.execute(update(t).where(t.c.shard == turn.shard).values(cut=t.c.cut + offsets))


async def note_unknown(connection: AsyncConnection, turn: Turn, count: int) -> None:
    """So many facts were not understood."""
    t = tables.shards
    await connection.execute(update(t).where(t.c.shard == turn.shard).values(unknown=t.c.unknown + count))


async def let_go(connection: AsyncConnection, turn: Turn) -> None:
    """Give the shard back; another may have it at once."""
    await hold(connection, turn, until=0.0)


async def owners(connection: AsyncConnection, now: float) -> dict[int, str]:
    """By shard, who has it now."""
    t = tables.shards
    found = await connection.execute(select(t.c.shard, t.c.owner).where(t.c.until >= now))
    return dict(tuple(row) for row in found)


async def positions(connection: AsyncConnection, shard: int) -> dict[TopicPartition, int]:
    """Up to where the log is in the shard's tables: per partition the first offset that is not."""
    t = tables.positions
    found = await connection.execute(select(t.c.topic, t.c.partition, t.c.next).where(t.c.shard == shard))
    return {(topic, partition): following for topic, partition, following in found}


async def others(connection: AsyncConnection, name: str, *, now: float, until: float) -> int:
    """How many other replicas are alive now; and this one is, until then."""
    t = tables.replicas
    await connection.execute(delete(t).where(t.c.until < now, t.c.name != name))
    await upsert(connection, t, [(name, until)])
    return (await connection.execute(select(func.count()).select_from(t).where(t.c.name != name))).scalar_one()


async def leave(connection: AsyncConnection, name: str) -> None:
    """This replica is no more."""
    await connection.execute(delete(tables.replicas).where(tables.replicas.c.name == name))
