"""The memory behind idempotent appends: which identities were appended, with what value and where."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

import apsw

from farandole.engines.sqlite.database import scalar
from farandole.events.errors import IdConflict

REMEMBERED = 7 * 24 * 3600
"""Seconds for which an identity is remembered at least, unless it is among the last ones anyway."""
AT_LEAST = 100_000
"""So many identities are remembered, however old."""
_FORGOTTEN_AT_ONCE = 5_000  # so that no commit waits long for the tidying
_ASKED_AT_ONCE = 500
_SECOND = 1_000_000


class First(NamedTuple):
    """The first appearance of an identity."""

    fingerprint: bytes
    tp: int
    offset: int


class Identity(NamedTuple):
    """An identity as it is stored, with what tells one value from another."""

    id: bytes
    fingerprint: bytes
    given: bytes

    @classmethod
    def of(cls, given: bytes, value: bytes | None) -> "Identity":
        """The identity that a caller gave, and the value that comes with it."""
        fingerprint = b"" if value is None else blake2b(value, digest_size=16).digest()
        return cls(blake2b(given, digest_size=16).digest(), fingerprint, given)

    def check(self, first: First) -> None:
        """Raise IdConflict when it was appended with another value."""
        if first.fingerprint != self.fingerprint:
            raise IdConflict(
                f"identity {self.given!r} was appended before with another value; give a new event a new id"
            )


def recall(db: apsw.Connection, ids: Sequence[bytes]) -> dict[bytes, First]:
    """The first appearances of those identities that are remembered."""
    found: dict[bytes, First] = {}
    for start in range(0, len(ids), _ASKED_AT_ONCE):
        part = ids[start : start + _ASKED_AT_ONCE]
        holes = ",".join("?" * len(part))
        rows = db.execute(f"SELECT id, fingerprint, tp, offset FROM identity WHERE id IN ({holes})", part)
        found.update((id, First(fingerprint, tp, offset)) for id, fingerprint, tp, offset in rows)
    return found


def remember(db: apsw.Connection, firsts: Iterable[tuple[bytes, First]], now: int) -> None:
    """Note first appearances."""
    db.executemany(
        "INSERT INTO identity (id, fingerprint, tp, offset, time) VALUES (?, ?, ?, ?, ?)",
        [(id, first.fingerprint, first.tp, first.offset, now) for id, first in firsts],
    )


def forget(db: apsw.Connection, now: int) -> None:
    """Forget the oldest beyond time and number, some at a time."""
    last = scalar(db, "SELECT coalesce(max(seq), 0) FROM identity")
    db.execute(
        "DELETE FROM identity WHERE seq IN (SELECT seq FROM identity WHERE seq <= ? AND time < ? ORDER BY seq LIMIT ?)",
        (last - AT_LEAST, now - REMEMBERED * _SECOND, _FORGOTTEN_AT_ONCE),
    )
