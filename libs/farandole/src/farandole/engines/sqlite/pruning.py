"""Removing the beginning of a partition: frame by frame, a few at a time, so that others write in between."""

import apsw

from farandole.engines.sqlite.catalog import Topic
from farandole.engines.sqlite.database import rows, scalar
from farandole.engines.sqlite.feeds import begin
from farandole.engines.sqlite.requests import Txn
from farandole.engines.sqlite.schema import frame_id, position_id

_AT_ONCE = 500  # frames of one transaction
_LAST = "SELECT max(id) FROM frame WHERE id >= ? AND id <= ?"
_CUT = "DELETE FROM frame WHERE id IN (SELECT id FROM frame WHERE id >= ? AND id < ? ORDER BY id LIMIT ?)"
_BEGIN = "begin "  # and the tp: what the file's `meta` calls where a partition begins, so that a check can tell


def cut(txn: Txn, topic: Topic, partition: int, before: int) -> bool:
    """Remove some of the frames that lie whole before an offset; whether more may be left.

    What is free is used again; the file does not shrink (a backup is as small as can be).
    """
    tp = topic.tp(partition)
    end = scalar(txn.db, "SELECT next FROM position WHERE id = ?", position_id(0, tp))
    first, last = frame_id(tp, 0), frame_id(tp, before)
    if before < end:  # the frame that holds it stays
        last = scalar(txn.db, _LAST, first, last) or first
    txn.db.execute(_CUT, (first, last, _AT_ONCE))
    removed = txn.db.changes()
    if removed:
        stated = f"{_BEGIN}{tp}", str(begin(txn.db, topic, partition, end))
        txn.db.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", stated)
    return bool(removed == _AT_ONCE)


def stated_begins(db: apsw.Connection) -> dict[int, int]:
    """By tp, where what was pruned ends, as the file says."""
    found = rows(db, "SELECT name, value FROM meta WHERE name GLOB ?", (f"{_BEGIN}*",))
    return {int(name.removeprefix(_BEGIN)): int(value) for name, value in found}
