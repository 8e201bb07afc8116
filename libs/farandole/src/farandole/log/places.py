"""Records by their places: what lies close together is read in one go, for a fetch of each is a request of its own."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping

from farandole.log.ports import Log
from farandole.log.record import Place, Record, Span, TopicPartition

_GAP = 1000  # records that are rather read and dropped than a further reader is begun
_BATCH = 1000
_WAIT = 0.05  # seconds of one poll that finds nothing


async def records_at(log: Log, places: Iterable[Place]) -> AsyncIterator[Record]:
    """The records at these places, in no order; those that the log does not keep any more are left out.

    Raises LogError.
    """
    wanted = defaultdict[str, defaultdict[TopicPartition, set[int]]](lambda: defaultdict(set))
    for topic, partition, offset in places:
        wanted[topic][topic, partition].add(offset)
    for topic, partitions in wanted.items():
        spans = await log.spans([topic])
        for place, offsets in partitions.items():
            span = spans.get(place, Span(0, 0))
            # One after the other: a reader of an archive is through with one partition before it begins another.
            for stretch in _stretches(o for o in offsets if span.start <= o < span.end):
                async for record in _read(log, place, stretch, spans):
                    yield record


def _stretches(offsets: Iterable[int]) -> list[list[int]]:
    found: list[list[int]] = []
    for offset in sorted(offsets):
        if found and offset - found[-1][-1] <= _GAP:
            found[-1].append(offset)
        else:
            found.append([offset])
    return found


async def _read(
    log: Log, place: TopicPartition, stretch: list[int], spans: Mapping[TopicPartition, Span]
) -> AsyncIterator[Record]:
    if len(stretch) == 1:
        record = await log.fetch(*place, stretch[0])
        if record is not None:
            yield record
        return
    wanted = set(stretch)
    start = {other: span.end for other, span in spans.items()} | {place: stretch[0]}
    reader = await log.reader([place[0]], start)
    try:
        while reader.positions().get(place, stretch[0]) <= stretch[-1]:
            for record in await reader.poll(limit=_BATCH, timeout=_WAIT):
                if record.partition == place[1] and record.offset in wanted:
                    yield record
    finally:
        await reader.close()
