"""Which handles are open, whether they live, and what each listens to; all within a transaction of the caller."""

from collections.abc import Iterable
from typing import NamedTuple

import apsw

from farandole.engines.sqlite.clock import boot_id, lease_now
from farandole.engines.sqlite.database import rows, scalar
from farandole.engines.sqlite.process import Process, is_gone
from farandole.engines.sqlite.schema import REGISTRY


class Host(NamedTuple):
    """What others must know of a handle: its process, where to wake it, and how long it may be silent."""

    process: Process
    boot: str
    address: bytes
    lease: float

    @classmethod
    def of(cls, process: Process, address: bytes, lease: float) -> "Host":
        """A handle of this process, on this boot."""
        return cls(process, boot_id(), address, lease)


class Listeners(NamedTuple):
    """The addresses of handles, and who listens to what; `version` tells when it is out of date."""

    version: int
    addresses: dict[int, bytes]
    by_topic: dict[str, set[int]]


def register(db: apsw.Connection, host: Host) -> int:
    """Make a handle known; its number, which is never given again."""
    pid, started, space = host.process
    db.execute(
        "INSERT INTO handle (pid, started, space, boot, address, beat, lease) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (pid, started, space, host.boot, host.address, lease_now(), host.lease),
    )
    touch(db)
    return db.last_insert_rowid()


def unregister(db: apsw.Connection, handle: int) -> None:
    """Forget a handle and what it listens to."""
    db.execute("DELETE FROM listen WHERE handle = ?", (handle,))
    db.execute("DELETE FROM handle WHERE id = ?", (handle,))
    touch(db)


def listen(db: apsw.Connection, handle: int, topics: Iterable[str]) -> None:
    """Have the handle woken by commits to these topics (which need not exist yet), and by no others."""
    db.execute("DELETE FROM listen WHERE handle = ?", (handle,))
    db.executemany("INSERT INTO listen VALUES (?, ?)", [(handle, topic) for topic in set(topics)])
    touch(db)


def touch(db: apsw.Connection) -> None:
    """Have every writer read the registry again before its next wake-ups."""
    db.execute("UPDATE position SET next = next + 1 WHERE id = ?", (REGISTRY,))


def read_listeners(db: apsw.Connection) -> Listeners:
    """The registry as it stands."""
    by_topic: dict[str, set[int]] = {}
    for handle, topic in rows(db, "SELECT handle, topic FROM listen"):
        by_topic.setdefault(topic, set()).add(handle)
    addresses: dict[int, bytes] = dict(rows(db, "SELECT id, address FROM handle"))
    return Listeners(scalar(db, "SELECT next FROM position WHERE id = ?", REGISTRY), addresses, by_topic)


def show_life(db: apsw.Connection, handle: int) -> bool:
    """Note that the handle lives; False when it was taken for dead and is no longer known."""
    db.execute("UPDATE handle SET beat = ? WHERE id = ?", (lease_now(), handle))
    return db.changes() == 1


def find_dead(db: apsw.Connection, own: int | None, space: str, boot: str) -> tuple[list[int], float]:
    """Handles that were silent for longer than they may be or whose process ended, and the next one's due time.

    The due time is on the clock of `lease_now`; infinite where there is no other handle.
    """
    now, due = lease_now(), float("inf")
    dead: list[int] = []
    others = rows(db, "SELECT id, pid, started, space, boot, beat, lease FROM handle WHERE id IS NOT ?", (own,))
    for handle, pid, started, its_space, its_boot, beat, lease in others:
        if its_boot != boot or now - beat > lease or is_gone(Process(pid, started, its_space), space):
            dead.append(handle)
        else:
            due = min(due, beat + lease)
    return dead, due
