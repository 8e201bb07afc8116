"""Reading what is there now, to its end: an empty poll says nothing, for a record may still be on its way."""

from collections.abc import AsyncIterator

from farandole.log.ports import Log, Reader
from farandole.log.record import Record

_WAIT = 0.05  # seconds of one poll that finds nothing


async def to_the_end(log: Log, reader: Reader, topics: list[str], *, limit: int = 1000) -> AsyncIterator[list[Record]]:
    """What was committed when this was called, from the reader's positions on; it may give more. Raises LogError."""
    ends = await log.spans(topics)
    while True:
        stands = reader.positions()
        if all(stands.get(place, span.start) >= span.end for place, span in ends.items()):
            return
        records = await reader.poll(limit=limit, timeout=_WAIT)
        if records:
            yield records
