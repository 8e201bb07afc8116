"""A place that a broker says it has not: gone for ever, or only not there yet.

A broker that stood still, or was cut off, takes itself for the leader until it hears otherwise, and has less than the
true one by then. aiokafka 0.14 names no leader's epoch when it fetches, so such a broker answers it all the same.
"""

import asyncio
import time
from collections.abc import Mapping

from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError
from confluent_kafka.admin import OffsetSpec

from farandole.engines.kafka.offsets import Place, listed
from farandole.engines.kafka.stranded import Administrator
from farandole.events.errors import LogError

HEARS = 15.0
"""Seconds after which a broker must have heard who leads; by default the quorum gives one up after 9."""
_AGAIN = 0.2  # seconds until it is asked again
_ANEW = 5.0  # seconds without a word of a place after which it stands for itself


class Missed:
    """For how long places have been missed; one of which no word came for a while is missed anew."""

    def __init__(self) -> None:
        self._since: dict[Place, tuple[float, float]] = {}  # when first, and when last

    def seconds(self, place: Place) -> float:
        """Missed now, and for so long."""
        now = time.monotonic()
        since, last = self._since.get(place, (now, now))
        since = since if now - last < _ANEW else now
        self._since[place] = since, now
        return now - since


async def ends_before(admin: Administrator, wanted: Mapping[Place, int]) -> dict[Place, int]:
    """Where the log ends, of those places that it has not, and does not come to have within `HEARS`."""
    deadline = time.monotonic() + HEARS
    while wanted:
        ends = await listed(admin, wanted, OffsetSpec.latest(), committed=False)
        wanted = {place: offset for place, offset in wanted.items() if offset > ends[place]}
        if wanted and time.monotonic() > deadline:
            return {place: ends[place] for place in wanted}
        if wanted:
            await asyncio.sleep(_AGAIN)
    return {}


class Astray:
    """What one consumer was told so of."""

    def __init__(self, admin: Administrator) -> None:
        self._admin = admin
        self._missed = Missed()

    async def bear(self, error: OffsetOutOfRangeError) -> None:
        """Returns when the consumer may ask again. Raises LogError where what it wants is gone."""
        wanted: dict[TopicPartition, int] = error.args[0]
        first = await listed(self._admin, list(wanted), OffsetSpec.earliest())
        for place, offset in wanted.items():
            if offset < first[place] or self._missed.seconds(place) > HEARS:
                raise LogError(
                    f"the log no longer holds what was to be read ({error}; {place.topic}/{place.partition} begins at "
                    f"{first[place]}); read from its beginning"
                ) from error
        await asyncio.sleep(_AGAIN)
