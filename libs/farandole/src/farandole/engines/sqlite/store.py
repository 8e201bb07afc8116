"""What one transaction adds: offsets are given out in memory, then all is written in a handful of statements.

Few statements, because SQLite lets go of Python's lock at every step, and in a busy process the way back to it
costs more than the step.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import apsw
import msgspec

from farandole.engines.sqlite.compose import Composed
from farandole.engines.sqlite.identities import First, recall, remember
from farandole.engines.sqlite.schema import REGISTRY, frame_id

_LOAD = """
SELECT
    (SELECT json_group_array(json_array(p.id, p.next, p.time))
     FROM json_each(?1) AS j CROSS JOIN position AS p ON p.id = j.value),
    (SELECT json_group_array(json_array(l.id, l.epoch, l.member))
     FROM json_each(?2) AS j CROSS JOIN lease AS l ON l.id = j.value WHERE l.member IS NOT NULL)
"""
_ROWS_AT_ONCE = 64  # of one INSERT; prepared statements are kept, one per number of rows
_ends_decoder = msgspec.json.Decoder(list[tuple[int, int, int]])
_leases_decoder = msgspec.json.Decoder(list[tuple[int, int, int]])


class Store:
    """Ends and leases as they stand in this transaction, and what is to be written to them."""

    def __init__(self, db: apsw.Connection, now: int) -> None:
        self.topics: set[str] = set()
        """Topics that were written to."""
        self.registry = -1
        """How often it had changed who listens to what, when this began."""
        self._db = db
        self._now = now
        self._ends: dict[int, int] = {}
        self._times: dict[int, int] = {}
        self._leases: dict[int, tuple[int, int]] = {}
        self._written: set[int] = set()
        self._positions: dict[int, int] = {}
        self._frames: list[int | bytes] = []
        self._rows: list[int | bytes | None] = []
        self._firsts: dict[bytes, First] = {}

    def load(self, tps: Iterable[int], leases: Iterable[int]) -> None:
        """Read ends and leases once for all that is to come."""
        wanted = {REGISTRY, *tps}
        ends, held = self._db.execute(_LOAD, (_array(wanted), _array(set(leases)))).fetchone() or ("[]", "[]")
        for tp, end, time in _ends_decoder.decode(ends):
            self._ends[tp] = end
            self._times[tp] = max(self._now, time)
        self._leases.update((lease, (epoch, member)) for lease, epoch, member in _leases_decoder.decode(held))
        self.registry = self._ends.pop(REGISTRY, -1)

    def holds(self, lease: int, epoch: int, member: int) -> bool:
        """Whether a member holds a lease in this epoch."""
        return self._leases.get(lease) == (epoch, member)

    def end(self, tp: int) -> int:
        """The next offset of a partition, everything given out so far included."""
        if tp not in self._ends:
            self.load((tp,), ())
        return self._ends[tp]

    def write(self, composed: Composed) -> None:
        """Give every record its offset."""
        for tp, count, body in composed.frames:
            base = self._take(tp, count)
            self._frames += (frame_id(tp, base), count, self._times[tp], body)
        for tp, key, value, headers in composed.rows:
            offset = self._take(tp, 1)
            self._rows += (frame_id(tp, offset), tp, key, self._times[tp], value, headers)
        self.topics.update(composed.topics)

    def move(self, positions: Iterable[tuple[int, int]]) -> None:
        """Positions of groups, by id."""
        self._positions.update(positions)

    def recall(self, ids: Sequence[bytes]) -> dict[bytes, First]:
        """First appearances of identities, those of this transaction included."""
        found = recall(self._db, ids) if ids else {}
        found.update((id, self._firsts[id]) for id in ids if id in self._firsts)
        return found

    def remember(self, firsts: Iterable[tuple[bytes, First]]) -> None:
        """First appearances of identities."""
        self._firsts.update(firsts)

    def flush_records(self) -> None:
        """Write the records themselves."""
        _insert(self._db, "INSERT INTO frame", 4, self._frames)
        _insert(self._db, "REPLACE INTO latest", 6, self._rows)

    def flush_places(self) -> None:
        """Write what says that they are there: ends, positions and identities."""
        places: list[int | bytes | None] = []
        for tp in self._written:
            places += (tp, self._ends[tp], self._times[tp])
        for position, offset in self._positions.items():
            places += (position, offset, self._now)
        _insert(self._db, "REPLACE INTO position", 3, places)
        if self._firsts:
            remember(self._db, self._firsts.items(), self._now)

    def _take(self, tp: int, count: int) -> int:
        base = self.end(tp)
        self._ends[tp] = base + count
        self._written.add(tp)
        return base


def _insert(db: apsw.Connection, head: str, width: int, cells: "list[int | bytes] | list[int | bytes | None]") -> None:
    step = width * _ROWS_AT_ONCE
    for start in range(0, len(cells), step):
        part = cells[start : start + step]
        db.execute(_statement(head, width, len(part) // width), part)


@lru_cache(maxsize=256)
def _statement(head: str, width: int, rows: int) -> str:
    row = f"({','.join('?' * width)})"
    return f"{head} VALUES {','.join([row] * rows)}"


def _array(ids: Iterable[int]) -> str:
    return f"[{','.join(map(str, ids))}]"
