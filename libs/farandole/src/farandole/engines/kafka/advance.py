"""Positions that lag behind by markers only go on after a while, so that who has nothing to do shows no lag.

What ends a transaction takes an offset and is never delivered. Behind the last record of a topic there is always one,
and a position stands before it until the client has said that nothing more comes.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress

from farandole.engines.kafka.hold import Hold
from farandole.engines.kafka.pump import Pump
from farandole.events.errors import LogError
from farandole.log.ports import Unit

IDLE = 5.0
"""Seconds without a commit."""


class Advancer:
    """For one subscription."""

    def __init__(self, pump: Pump, holds: Mapping[int, Hold]) -> None:
        self._pump, self._holds = pump, holds
        self._timer: asyncio.TimerHandle | None = None
        self._work: asyncio.Task[None] | None = None

    def arm(self) -> None:
        """Something was committed, or came to its end."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(IDLE, self._look)

    def stop(self) -> None:
        """No more."""
        for one in (self._timer, self._work):
            if one is not None:
                one.cancel()

    def _look(self) -> None:
        loop, idle = asyncio.get_running_loop(), time.monotonic() - self._pump.latest
        if idle < IDLE:
            self._timer = loop.call_later(IDLE - idle, self._look)
            return
        self._timer = None
        units = [Unit(hold.lease, [], ahead) for hold in self._holds.values() if (ahead := _ahead(hold))]
        if units:
            self._work = loop.create_task(self._advance(units))

    async def _advance(self, units: list[Unit]) -> None:
        with suppress(LogError):  # the next commit takes them along
            await self._pump.commit(units)


def _ahead(hold: Hold) -> dict[str, int]:
    passed = {topic: hold.queues[topic].passed(at) for topic, at in hold.positions.items() if topic in hold.begun}
    return {topic: at for topic, at in passed.items() if at > hold.positions[topic]}
