"""Faust tables whose changes can be waited for.

Faust commits a position without knowing that what its tables changed is on the brokers. So who kills it at the wrong
moment loses counts. Here a position is acknowledged when the changes of its record are.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import faust

_MOST_OPEN = 200  # records whose changes are under way at once


class WatchedTable(faust.Table):
    """Remembers what it sent to its changelog since it was asked last."""

    def send_changelog(self, *args: Any, **options: Any) -> Any:
        sent = super().send_changelog(*args, **options)
        self.__dict__.setdefault("_unsaid", []).append(sent)
        return sent

    def sent(self) -> list[Awaitable[Any]]:
        """The changes since the last call; each awaitable ends when a broker has it, and raises where none takes it."""
        return list(self.__dict__.pop("_unsaid", []))


def durable(tables: Iterable[WatchedTable]) -> Awaitable[Any]:
    """Ends when all that the tables have changed until now is on the brokers."""
    return asyncio.gather(*(change for table in tables for change in table.sent()))


class Settling:
    """Changes on their way to the brokers, a bounded number of them, and what to do when they are there."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[None]] = set()

    async def put(self, changes: Awaitable[Any], then: Callable[[], object]) -> None:
        """Call `then` when the changes are durable, without waiting for it. Raises what an earlier one raised."""
        self._open.add(asyncio.create_task(_settled(changes, then)))
        done, self._open = _ended(self._open)
        if len(self._open) >= _MOST_OPEN:
            more, self._open = await asyncio.wait(self._open, return_when=asyncio.FIRST_COMPLETED)
            done |= more
        for task in done:
            task.result()


async def _settled(changes: Awaitable[Any], then: Callable[[], object]) -> None:
    await changes
    then()


def _ended(tasks: set[asyncio.Task[None]]) -> tuple[set[asyncio.Task[None]], set[asyncio.Task[None]]]:
    done = {task for task in tasks if task.done()}
    return done, tasks - done
