"""A projection as it was: folded in memory from the best snapshot and the log; nothing is written."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from farandole.log.ports import Log, Reader
from farandole.log.record import TopicPartition
from farandole_observe.projection import snapshots
from farandole_observe.projection.declare import Projection
from farandole_observe.projection.folding import Folding
from farandole_observe.projection.places import Beginning, Spans, beginning, beyond
from farandole_observe.projection.snapshots import Snapshot
from farandole_observe.projection.values import Values
from farandole_observe.store.opening import Store

_BATCH = 5_000  # records of one poll
_WAIT = 0.05  # seconds of one poll that finds nothing


class AsOf(NamedTuple):
    """Rows by key. `missing`: offsets that are gone from the log, whose records may belong here: so many at most.
    `unread`: records that were skipped; `snapshot`: the number of the one that was begun from, None: the log alone.
    """

    rows: dict[str, Values]
    missing: int
    unread: int
    snapshot: int | None


class _Base(NamedTuple):
    """A snapshot, or (None) the beginning of the log. `cut`, `unread`: what was gone, and skipped, before it."""

    number: int | None
    cut: int
    unread: int
    beginning: Beginning

    @property
    def missing(self) -> int:
        """Offsets that are not to be had any more."""
        return self.cut + sum(self.beginning.gone.values())


async def as_of(projection: Projection[Any], log: Log, store: Store, time: float) -> AsOf:
    """What comes of the records that the log took before `time` (seconds since the epoch), in each partition.

    Raises ProjectionStopped where a function of the projection fails, LogError.
    """
    spans = await log.spans(projection.topics)
    rows: dict[str, Values] = {}
    async with store.reading() as connection:
        base = _best(await snapshots.kept_of(connection, projection), spans, time)
        if base.number is not None:
            async for page in snapshots.pages(connection, projection, base.number):
                rows |= page
    start, until = base.beginning.start, {}
    for place, span in spans.items():
        until[place] = max(start[place], min(span.end, await log.offset_at(*place, time)))
    # Where nothing is to be read, reading begins at the end.
    begin = {place: start[place] if start[place] < until[place] else span.end for place, span in spans.items()}
    reader = await log.reader(projection.topics, begin)
    try:
        unread = await _fold(projection, reader, rows, until)
    finally:
        await reader.close()
    return AsOf(rows, base.missing, base.unread + unread, base.number)


def _best(kept: Iterable[Snapshot], spans: Spans, time: float) -> _Base:
    """What to begin from: where least is missing, and then where least is left to be folded."""
    bases = [_Base(None, 0, 0, beginning(spans, {}))]
    for snapshot in kept:
        if snapshot.is_before(time) and beyond(spans, snapshot.positions) is None:
            begin = beginning(spans, snapshot.positions)
            bases.append(_Base(snapshot.number, snapshot.cut, snapshot.unread, begin))
    return min(bases, key=lambda base: (base.missing, -sum(base.beginning.start.values()), -(base.number or 0)))


async def _fold(
    projection: Projection[Any], reader: Reader, rows: dict[str, Values], until: Mapping[TopicPartition, int]
) -> int:
    """Fold what stands before these offsets into the rows; how many records were skipped."""
    folding, unread = Folding(projection), 0
    while any(reader.positions().get(place, 0) < end for place, end in until.items()):
        records = await reader.poll(limit=_BATCH, timeout=_WAIT)
        found = folding.sort([record for record in records if record.offset < until.get(record.place[:2], 0)])
        folding.apply(rows, found)
        if found.failure is not None:
            raise found.failure
        unread += len(found.skipped)
    return unread
