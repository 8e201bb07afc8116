"""Who waits for what: a waiting call names its keys, and whoever changes something rings them."""

import asyncio
from collections.abc import Hashable, Iterable, Sequence

from farandole.engines.memory.chance import Chance


class Bells:
    """Waiting calls by key. Nobody is woken for what he does not wait for; waiting costs nothing."""

    __slots__ = ("_chance", "_waiting")

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._waiting: dict[Hashable, dict[asyncio.Future[None], None]] = {}

    def ring(self, keys: Iterable[Hashable]) -> None:
        """Wake all who wait for one of the keys, in an order that chance decides."""
        if not self._waiting:
            return
        woken = {future: None for key in keys for future in self._waiting.get(key, ())}
        for future in self._chance.order(list(woken)):
            if not future.done():
                future.set_result(None)

    async def wait(self, keys: Sequence[Hashable], timeout: float | None) -> None:
        """Return when one of the keys rings, or after `timeout` seconds (None: only then)."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        timer = None if timeout is None else loop.call_later(timeout, _end, future)
        for key in keys:
            self._waiting.setdefault(key, {})[future] = None
        try:
            await future
        finally:
            if timer is not None:
                timer.cancel()
            for key in keys:
                self._forget(key, future)

    def _forget(self, key: Hashable, future: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(key, {})
        waiting.pop(future, None)  # a key may have been named twice
        if not waiting:
            self._waiting.pop(key, None)


def _end(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
