"""A step's state: the rows of one partition of its compacted topic, read whole."""

import apsw

from farandole.engines.sqlite.catalog import Topic
from farandole.engines.sqlite.database import rows
from farandole.engines.sqlite.frames import decode_headers
from farandole.engines.sqlite.schema import frame_id, offset_of
from farandole.log.record import Record

_ROWS = (
    "SELECT id, time, key, value, headers FROM latest "
    "WHERE id >= ? AND id < ? AND value IS NOT NULL ORDER BY id LIMIT ?"
)
AT_ONCE = 500
"""Rows that are read before others have their turn on the event loop."""
_SECOND = 1e6


def read_state(db: apsw.Connection, topic: Topic, partition: int, offset: int) -> list[Record]:
    """The next rows from an offset on, `AT_ONCE` at most. A row that changes meanwhile only moves further on."""
    bounds = frame_id(topic.tp(partition), offset), frame_id(topic.tp(partition) + 1, 0), AT_ONCE
    return [
        Record(topic.name, partition, offset_of(id), time / _SECOND, key, value, decode_headers(headers))
        for id, time, key, value, headers in rows(db, _ROWS, bounds)
    ]
