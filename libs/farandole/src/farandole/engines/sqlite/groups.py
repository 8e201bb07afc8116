"""Groups: who takes part, who holds which partition in which epoch; all within a transaction of the caller.

Shares differ by at most one, and nothing moves without need. A lease beyond its member's share is marked
`revoking` and stays in force until it is released; a free one goes to who has less than his share, in an epoch
of its own: the epoch is what fences every former holder.
"""

from collections.abc import Iterable
from typing import NamedTuple

import apsw

from farandole.engines.sqlite.database import rows, scalar
from farandole.engines.sqlite.registry import unregister
from farandole.engines.sqlite.requests import Txn
from farandole.engines.sqlite.schema import position_id
from farandole.log.ports import Interest


class Member(NamedTuple):
    """A subscription as the group knows it; numbers are never given again."""

    id: int
    group: int


class _Share(NamedTuple):
    member: int
    handle: int
    from_now: bool
    kept: list[int]  # leases that it holds and is not to give back


def join(txn: Txn, handle: int, interest: Interest, topic: int, name: str) -> Member:
    """Take part; partitions are granted at once as far as they are free."""
    db = txn.db
    db.execute("INSERT INTO grp (name) VALUES (?) ON CONFLICT DO NOTHING", (interest.group,))
    group: int = scalar(db, "SELECT id FROM grp WHERE name = ?", interest.group)
    db.execute(
        "INSERT INTO member (handle, grp, topic, from_now, name) VALUES (?, ?, ?, ?, ?)",
        (handle, group, topic, interest.start == "now", name),
    )
    member = Member(db.last_insert_rowid(), group)
    first, partitions = _extent(db, topic)
    db.executemany(
        "INSERT INTO lease (id, epoch) VALUES (?, 0) ON CONFLICT DO NOTHING",
        [(position_id(group, first + number),) for number in range(partitions)],
    )
    settle(txn, group, topic)
    return member


def release(txn: Txn, *, member: int, lease: int, epoch: int) -> None:
    """Give one lease back, if it is still this member's."""
    txn.db.execute(
        "UPDATE lease SET member = NULL, revoking = 0 WHERE id = ? AND epoch = ? AND member = ?",
        (lease, epoch, member),
    )
    if txn.db.changes():
        for group, topic in _taking_part(txn.db, "id = ?", member):
            settle(txn, group, topic)


def leave(txn: Txn, member: int) -> None:
    """Give everything back and take part no more."""
    _remove(txn, "id = ?", member)


def expel(txn: Txn, handles: Iterable[int]) -> None:
    """Take everything from handles that are gone, and forget them."""
    for handle in handles:
        _remove(txn, "handle = ?", handle)
        unregister(txn.db, handle)
        txn.effects.registry = True


def settle(txn: Txn, group: int, topic: int) -> None:
    """Even out the shares of one group: mark what is too much, grant what is free."""
    db = txn.db
    first, partitions = _extent(db, topic)
    leases = rows(
        db,
        "SELECT id, member, revoking FROM lease WHERE id >= ? AND id < ? ORDER BY id",
        (position_id(group, first), position_id(group, first + partitions)),
    )
    shares = [
        _Share(member, handle, bool(from_now), [id for id, its, going in leases if its == member and not going])
        for member, handle, from_now in rows(
            db, "SELECT id, handle, from_now FROM member WHERE grp = ? AND topic = ?", (group, topic)
        )
    ]
    free = [id for id, member, _ in leases if member is None]
    # What an equal division leaves over goes to those who hold most, so that least moves.
    shares.sort(key=lambda share: (-len(share.kept), share.member))
    for rank, share in enumerate(shares):
        fair = partitions // len(shares) + (rank < partitions % len(shares))
        _revoke(txn, share, share.kept[fair:])
        missing = max(0, fair - len(share.kept))
        _grant(txn, share, free[:missing])
        del free[:missing]


def _revoke(txn: Txn, share: _Share, leases: list[int]) -> None:
    for lease in leases:
        txn.db.execute("UPDATE lease SET revoking = 1 WHERE id = ?", (lease,))
        txn.effects.handles.add(share.handle)


def _grant(txn: Txn, share: _Share, leases: list[int]) -> None:
    for lease in leases:
        txn.db.execute(
            "UPDATE lease SET member = ?, epoch = epoch + 1, revoking = 0 WHERE id = ?", (share.member, lease)
        )
        if share.from_now:  # the end as it is now, for good: what comes while nobody works is not lost
            txn.db.execute(
                "INSERT INTO position SELECT ?, next, ? FROM position WHERE id = ? ON CONFLICT DO NOTHING",
                (lease, txn.now, position_id(0, lease & (position_id(1, 0) - 1))),
            )
        txn.effects.handles.add(share.handle)


def _remove(txn: Txn, condition: str, value: int) -> None:
    taking_part = _taking_part(txn.db, condition, value)
    txn.db.execute(
        f"UPDATE lease SET member = NULL, revoking = 0 WHERE member IN (SELECT id FROM member WHERE {condition})",
        (value,),
    )
    txn.db.execute(f"DELETE FROM member WHERE {condition}", (value,))
    for group, topic in taking_part:
        settle(txn, group, topic)


def _taking_part(db: apsw.Connection, condition: str, value: int) -> list[tuple[int, int]]:
    return rows(db, f"SELECT DISTINCT grp, topic FROM member WHERE {condition}", (value,))


def _extent(db: apsw.Connection, topic: int) -> tuple[int, int]:
    ((first, partitions),) = rows(db, "SELECT first, partitions FROM topic WHERE id = ?", (topic,))
    return first, partitions
