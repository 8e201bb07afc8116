"""Second half: parts of windows put together, and the event published where a whole window broke its limit."""

from typing import Any

import faust

from sla_watcher.breach import Breach, breach_of
from sla_watcher.ledger import Ledger
from sla_watcher.settings import Settings
from sla_watcher.tables import WatchedTable, durable


class Telling:
    """`kept`: the ledger's table, of one partition as the topic that feeds it."""

    def __init__(self, settings: Settings, kept: WatchedTable, partitions: int, breached: faust.Topic) -> None:
        self._settings, self._kept, self._breached = settings, kept, breached
        self._ledger = Ledger(kept, partitions, settings.window)

    async def run(self, stream: Any) -> None:
        """The agent on the closed windows: first the event, then that it needs none any more, then the position."""
        async for event in stream.noack().events():
            told = event.value
            if "until" in told:
                self._ledger.advance(told["partition"], told["until"])
                await self._tell()
            else:
                self._ledger.note(told["partition"], told["step"], told["start"], told["tally"])
            await durable([self._kept])
            event.ack()

    async def _tell(self) -> None:
        for window in list(self._ledger.closed()):
            limit = self._settings.limits.of(window.step)
            breach = breach_of(window, limit, self._settings.window)
            if breach is not None:
                await self._publish(breach)
            self._ledger.forget(window.key)

    async def _publish(self, breach: Breach) -> None:
        sent = await self._breached.send(key=breach.key, value=breach.value, headers=breach.headers)
        await sent
