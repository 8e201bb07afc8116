"""Reading partitions in order on the event loop: short reads, one look at the ends for all, frames cut to measure."""

from collections.abc import Sequence
from typing import Final

import apsw
import msgspec

from farandole.engines.sqlite.catalog import Topic
from farandole.engines.sqlite.database import scalar
from farandole.engines.sqlite.frames import decode, decode_headers
from farandole.engines.sqlite.schema import OFFSET_BITS, frame_id, offset_of
from farandole.log.pruning import gone_unread
from farandole.log.record import Place, Record

_ENDS = """
SELECT json_group_array(json_array(p.id, p.next))
FROM json_each(?) AS j CROSS JOIN position AS p ON p.id = j.value
"""
_FAR = (1 << OFFSET_BITS) - 1
_FRAMES = "SELECT id, time, body FROM frame WHERE id >= ? AND id < ? ORDER BY id"
_FRAME_BEFORE = "SELECT max(id) FROM frame WHERE id >= ? AND id <= ?"
_FIRST = "SELECT min(id) FROM frame WHERE id >= ? AND id < ?"
_ROWS = "SELECT id, time, key, value, headers FROM latest WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
_SECOND = 1e6
_ends_decoder = msgspec.json.Decoder(list[tuple[int, int]])


class Feed:
    """One partition, read from an offset on. What a frame held beyond what was asked for waits in memory."""

    __slots__ = ("_at", "_next", "_waiting", "aligned", "end", "partition", "paused", "topic", "tp")

    def __init__(self, topic: Topic, partition: int, start: int) -> None:
        self.topic: Final = topic
        self.partition: Final = partition
        self.tp: Final = topic.tp(partition)
        self.end = start
        """The end of the partition when it was last looked at."""
        self.paused = False
        self._next = start  # what is to be read from the file
        self.aligned = False
        """Whether a frame begins where it reads on: so it is after the first read."""
        self._waiting: list[Record] = []
        self._at = 0

    @property
    def position(self) -> int:
        """The offset of the next record that `take` gives."""
        return self._waiting[self._at].offset if self._at < len(self._waiting) else self._next

    def take(self, db: apsw.Connection, limit: int) -> list[Record]:
        """Up to `limit` records, none where there is nothing new before `end`."""
        if self._at >= len(self._waiting):
            if self._next >= self.end:
                return []
            self._at, self._waiting = 0, self._read(db, limit)
        found = self._waiting[self._at : self._at + limit]
        self._at += len(found)
        if self._at >= len(self._waiting):
            self._at, self._waiting = 0, []
        return found

    def _read(self, db: apsw.Connection, limit: int) -> list[Record]:
        return self._read_rows(db, limit) if self.topic.compacted else self._read_frames(db, limit)

    def _read_frames(self, db: apsw.Connection, limit: int) -> list[Record]:
        start = frame_id(self.tp, self._next)
        skip = 0
        if not self.aligned:
            first = scalar(db, _FRAME_BEFORE, frame_id(self.tp, 0), start)
            skip, start = (start - first, first) if first is not None else (0, start)
            self.aligned = True
        wanted = offset_of(start)
        found: list[Record] = []
        frames = db.execute(_FRAMES, (start, frame_id(self.tp, self.end)))
        try:
            for id, time, body in frames:
                found += decode(body, self.topic.name, self.partition, offset_of(id), time / _SECOND)
                if len(found) - skip >= limit:
                    break
        finally:
            frames.close()  # an open cursor would hold back the WAL
        reached = found[0].offset if found else wanted if self.end == _FAR else self.end
        if reached != wanted:  # frames follow each other without a gap: this was pruned
            raise gone_unread(Place(self.topic.name, self.partition, self._next), reached)
        if found:
            self._next = found[-1].offset + 1
        return found[skip:] if skip else found

    def _read_rows(self, db: apsw.Connection, limit: int) -> list[Record]:
        bounds = frame_id(self.tp, self._next), frame_id(self.tp, self.end), limit
        found = [
            Record(self.topic.name, self.partition, offset_of(id), time / _SECOND, key, value, decode_headers(headers))
            for id, time, key, value, headers in db.execute(_ROWS, bounds)
        ]
        self._next = found[-1].offset + 1 if len(found) == limit else self.end
        return found


class Rota:
    """Gives every feed its turn, so that a long backlog in one does not hold up the others."""

    def __init__(self) -> None:
        self._turn = 0

    def take(self, db: apsw.Connection, feeds: list[Feed], limit: int) -> list[Record]:
        """Up to `limit` records of all feeds that are not paused."""
        open_feeds = [feed for feed in feeds if not feed.paused]
        if not open_feeds or limit <= 0:
            return []
        if len(open_feeds) == 1 and open_feeds[0].aligned:
            open_feeds[0].end = _FAR  # what there is of frames says itself how much it is: one look less
        else:
            look_at_ends(db, open_feeds)
        found: list[Record] = []
        first = self._turn
        for number in (*range(first, len(open_feeds)), *range(min(first, len(open_feeds)))):
            while len(found) < limit and (more := open_feeds[number].take(db, limit - len(found))):
                found += more
                self._turn = number + 1  # after who gave last: the turn of who has nothing is not his neighbour's too
        return found


def begin(db: apsw.Connection, topic: Topic, partition: int, end: int) -> int:
    """The offset of the first record that was not pruned; `end` where none is left."""
    if topic.compacted:
        return 0
    tp = topic.tp(partition)
    first = scalar(db, _FIRST, frame_id(tp, 0), frame_id(tp + 1, 0))
    return end if first is None else offset_of(first)


def look_at_ends(db: apsw.Connection, feeds: Sequence[Feed]) -> None:
    """Learn how far each can be read."""
    by_tp: dict[int, list[Feed]] = {}
    for feed in feeds:
        by_tp.setdefault(feed.tp, []).append(feed)
    ends = scalar(db, _ENDS, f"[{','.join(map(str, by_tp))}]")
    for tp, end in _ends_decoder.decode(ends):
        for feed in by_tp[tp]:
            feed.end = end
