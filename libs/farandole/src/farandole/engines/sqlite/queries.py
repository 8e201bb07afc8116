"""What can be asked of the log without a group: places, spans, times, positions and leases; short reads only."""

from collections.abc import Sequence

import apsw

from farandole.engines.sqlite.catalog import Catalog, Topic
from farandole.engines.sqlite.database import rows, scalar
from farandole.engines.sqlite.feeds import Feed, begin, look_at_ends
from farandole.engines.sqlite.schema import TP_BITS, frame_id, offset_of, position_id
from farandole.events.errors import ConfigError
from farandole.log.ports import Lease
from farandole.log.record import Record, Span, TopicPartition

_SECOND = 1e6
_TP = (1 << TP_BITS) - 1


def fetch(db: apsw.Connection, catalog: Catalog, topic: str, partition: int, offset: int) -> Record | None:
    """One record by its place."""
    found = catalog.find(topic)
    if found is None or not 0 <= partition < found.partitions or offset < 0:
        return None
    feed = Feed(found, partition, offset)
    look_at_ends(db, [feed])
    if offset < begin(db, found, partition, feed.end):
        return None
    feed.end = min(feed.end, offset + 1)
    records = feed.take(db, 1)
    return records[0] if records and records[0].offset == offset else None


def spans(db: apsw.Connection, catalog: Catalog, topics: Sequence[str]) -> dict[TopicPartition, Span]:
    """Start and end of every partition of the topics that exist."""
    existing = filter(None, map(catalog.find, topics))
    feeds = [Feed(topic, number, 0) for topic in existing for number in range(topic.partitions)]
    look_at_ends(db, feeds)
    return {
        (feed.topic.name, feed.partition): Span(begin(db, feed.topic, feed.partition, feed.end), feed.end)
        for feed in feeds
    }


def offset_at(db: apsw.Connection, catalog: Catalog, topic: str, partition: int, time: float) -> int:
    """The first offset whose record was taken at or after `time`; the end where there is none.

    Raises ConfigError where the partition does not exist.
    """
    found = catalog.get(topic)
    if not 0 <= partition < found.partitions:
        raise ConfigError(f"topic {topic!r} has no partition {partition}; it has {found.partitions}")
    feed = Feed(found, partition, 0)
    look_at_ends(db, [feed])
    low, high = 0, feed.end
    while low < high:  # times never fall within a partition, so halving finds it
        middle = (low + high) // 2
        row = _at_or_after(db, found, partition, middle, high)
        if row is None or row[1] / _SECOND >= time:
            high = middle
        else:
            low = row[0] + 1
    row = _at_or_after(db, found, partition, low, feed.end)
    return row[0] if row is not None else feed.end


def committed(db: apsw.Connection, catalog: Catalog, group: str) -> dict[TopicPartition, int]:
    """The group's positions."""
    number = scalar(db, "SELECT id FROM grp WHERE name = ?", group)
    if number is None:
        return {}
    bounds = position_id(number, 0), position_id(number + 1, 0)
    found = rows(db, "SELECT id, next FROM position WHERE id >= ? AND id < ?", bounds)
    return {catalog.place(id & _TP): offset for id, offset in found}


def leases(db: apsw.Connection, catalog: Catalog) -> dict[str, list[tuple[Lease, str]]]:
    """Per group the leases in force, each with its holder's name."""
    found: dict[str, list[tuple[Lease, str]]] = {}
    held = rows(
        db,
        "SELECT l.id, l.epoch, m.name, g.name FROM lease AS l "
        "JOIN member AS m ON m.id = l.member JOIN grp AS g ON g.id = m.grp ORDER BY l.id",
    )
    for id, epoch, member, group in held:
        topic, partition = catalog.place(id & _TP)
        found.setdefault(group, []).append((Lease(group, topic, partition, epoch), member))
    return found


def _at_or_after(db: apsw.Connection, topic: Topic, partition: int, offset: int, end: int) -> tuple[int, int] | None:
    """Offset and time of the first frame or row that begins at or after `offset`."""
    table = "latest" if topic.compacted else "frame"
    tp = topic.tp(partition)
    found = rows(
        db,
        f"SELECT id, time FROM {table} WHERE id >= ? AND id < ? ORDER BY id LIMIT 1",
        (frame_id(tp, offset), frame_id(tp, end)),
    )
    return (offset_of(found[0][0]), found[0][1]) if found else None
