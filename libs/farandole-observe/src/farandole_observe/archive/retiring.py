"""Into the archive and out of the log, in this order: what was not read back from the archive stays in the log."""

from collections.abc import AsyncIterator, Callable, Sequence

from farandole.events.errors import ConfigError
from farandole.log.ports import Log
from farandole.log.record import Record, Span, TopicPartition
from farandole_observe.archive.files import Archive
from farandole_observe.archive.planning import Cut

AT_ONCE = 20_000
"""Records of one file."""
_WAIT = 1.0  # seconds of one poll
Done = Callable[[Cut], None]


async def retire(log: Log, cuts: Sequence[Cut], archive: Archive | None, done: Done) -> None:
    """Do what was planned, partition after partition; it can be broken off and repeated.

    Raises ConfigError where the archive is of another log, LogError, LogUnavailable.
    """
    for cut in cuts:
        if cut.end > cut.start:
            place = cut.topic, cut.partition
            if archive is not None:
                await _archive(log, archive, place, Span(cut.start, cut.end))
            await log.prune({place: cut.end})
            done(cut)


async def _archive(log: Log, archive: Archive, place: TopicPartition, span: Span) -> None:
    before = archive.span(place)
    if before is not None and not span.start <= before.end <= span.end:
        raise ConfigError(
            f"archive: it ends at {place[0]}/{place[1]}/{before.end}, the log begins at {span.start} there: it is of "
            "another log, or something between is gone; name another folder"
        )
    begin = span.start if before is None else before.end
    waiting: list[Record] = []
    async for records in _records(log, place, Span(begin, span.end)):
        waiting += records
        while len(waiting) >= AT_ONCE:
            some, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
            end = some[-1].offset + 1
            archive.write(place, Span(begin, end), some)
            begin = end
    if begin < span.end:
        archive.write(place, Span(begin, span.end), waiting)


async def _records(log: Log, place: TopicPartition, span: Span) -> AsyncIterator[list[Record]]:
    """Those of one partition whose offset is in the span."""
    others = {other: end.end for other, end in (await log.spans([place[0]])).items()}
    reader = await log.reader([place[0]], others | {place: span.start})
    try:
        while reader.positions().get(place, span.start) < span.end:
            found = await reader.poll(timeout=_WAIT)
            yield [record for record in found if (record.topic, record.partition) == place and record.offset < span.end]
    finally:
        await reader.close()
