"""Where the committed records of a partition end, for whoever asks after a commit has returned.

The brokers answer a commit before they write its marks into the partitions, and until those are written, committed
records lie beyond the stable end (KIP-98: EndTxn returns once the transaction is prepared). Without waiting for them,
what was committed a moment ago would be missing from an answer: on a machine with much else to do for half a second.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence

from confluent_kafka.admin import OffsetSpec

from farandole.engines.kafka.offsets import Place, listed
from farandole.engines.kafka.stranded import Administrator

SETTLING = 5.0
"""Seconds that an open transaction holds an answer up, once; what lies behind it is not readable before it ends."""
_AGAIN = 0.02


class Ends:
    """Of the topics that one handle reads."""

    def __init__(self, admin: Administrator) -> None:
        self._admin = admin
        self._in_vain: dict[Place, int] = {}  # where an open transaction begins that was waited for long enough

    async def of(self, places: Sequence[Place]) -> dict[Place, int]:
        """Behind all whose commit or append had returned when this was called. Raises LogUnavailable."""
        written = await listed(self._admin, places, OffsetSpec.latest(), committed=False)
        deadline = time.monotonic() + SETTLING
        while True:
            stable = await listed(self._admin, places, OffsetSpec.latest())
            behind = {place: end for place, end in stable.items() if end < written[place]}
            if self._waited_for(behind) or time.monotonic() > deadline:
                self._in_vain = {p: end for p, end in self._in_vain.items() if stable.get(p, end) == end} | behind
                return stable
            await asyncio.sleep(_AGAIN)

    def _waited_for(self, behind: Mapping[Place, int]) -> bool:
        return all(self._in_vain.get(place) == end for place, end in behind.items())
