"""First half: each journal partition's records into windows, and what is over into the topic of closed windows.

A record that is read again, after a crash or a rebalance, counts once: a window's value remembers the last offset that
it holds, and a bookmark in the same table, so behind it in the same changelog, the last one that is counted whole.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import faust

from sla_watcher.ending import Ending
from sla_watcher.journal import NotFacts, attempts_of, is_facts
from sla_watcher.settings import Settings
from sla_watcher.tables import Settling, WatchedTable, durable
from sla_watcher.tally import Attempt, read_tally
from sla_watcher.windows import Clock

_UPTO = "upto"
_BOOKMARK = "bookmark"  # no step is called so: theirs hold a /
_NO_WINDOW = (0.0, 0.0)


class Counting:
    """`windows`: wraps a tumbling table; its keys are `partition/service/step`."""

    def __init__(self, settings: Settings, windows: Any, closed: faust.Topic) -> None:
        self._settings, self._closed = settings, closed
        self._table: WatchedTable = windows.table
        self._at = 0.0
        self._windows = windows.relative_to(lambda _=None: self._at)
        self._clocks: dict[int, Clock] = defaultdict(lambda: Clock(settings.window))
        self._locks: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._settling = Settling()
        self._dropped: dict[int, int] = {}  # up to which bound
        self._last: dict[int, tuple[int, float]] = {}  # offset that a partition gave last, and when; monotonic

    async def run(self, stream: Any) -> None:
        """The agent on the journal: acknowledges a record when all that follows from it is on the brokers."""
        async for event in stream.noack().events():
            message = event.message
            async with self._locks[message.partition]:
                self._arrive(message.partition, message.offset)
                await self._close(message.partition, message.timestamp)
                self._drop(message.partition)
                self._count(message)
                await self._settling.put(durable([self._table]), event.ack)

    def _arrive(self, partition: int, offset: int) -> None:
        last, _ = self._last.get(partition, (-1, 0.0))
        if offset <= last:  # a rebalance took us back: as after a restart, or what comes would count as late
            self._clocks.pop(partition, None)
        self._last[partition] = offset, time.monotonic()

    def _count(self, message: Any) -> None:
        number, offset = message.partition, message.offset
        if offset <= self._bookmark(number):
            return
        self._at = self._clocks[number].clamp(message.timestamp)
        by_step: dict[str, list[Attempt]] = defaultdict(list)
        for attempt in _attempts(message):
            by_step[attempt.step].append(attempt)
        for step, attempts in by_step.items():
            key = f"{number}/{step}"
            value = self._windows[key].value()
            if value.get(_UPTO, -1) < offset:
                self._windows[key] = {_UPTO: offset, **read_tally(value).add(attempts).to_json()}
        self._table[f"{number}/{_BOOKMARK}", _NO_WINDOW] = {_UPTO: offset}

    def _bookmark(self, partition: int) -> int:
        return int((self._table.get((f"{partition}/{_BOOKMARK}", _NO_WINDOW)) or {}).get(_UPTO, -1))

    async def _close(self, partition: int, at: float) -> None:
        """Hand on what is over at a time, then say so: after a crash in between it is all handed on again."""
        clock = self._clocks[partition]
        bound = clock.due(at)
        if bound is None:
            return
        parts = [
            {"partition": partition, "step": step, "start": start, "tally": tally}
            for step, start, tally in self._held(partition)
            if clock.told <= start < bound
        ]
        await asyncio.gather(*[await self._closed.send(value=part) for part in parts])
        await (await self._closed.send(value={"partition": partition, "until": bound}))
        clock.told = bound

    def _held(self, partition: int) -> Iterator[tuple[str, int, dict[str, Any]]]:
        for (key, (start, _)), value in sorted(self._table.items()):
            number, step = _read_key(key)
            if number == partition and step != _BOOKMARK:
                yield step, int(start), {name: part for name, part in value.items() if name != _UPTO}

    def _drop(self, partition: int) -> None:
        """Forget what was handed on; Faust lets tables be changed where a record is at hand only."""
        told = self._clocks[partition].told
        if self._dropped.get(partition) == told:
            return
        self._dropped[partition] = told
        for key, window in [*self._table]:
            number, step = _read_key(key)
            if number == partition and step != _BOOKMARK and window[0] < told:
                self._table.pop((key, window), None)

    async def close_quiet(self, ending: Ending, partitions: set[int]) -> None:
        """Close the windows of partitions that give nothing any more. `partitions`: those that are ours now."""
        at = time.time() - self._settings.slack
        since = time.monotonic() - self._settings.slack
        quiet = [n for n in partitions if self._clocks[n].due(at) is not None and self._last_at(n) <= since]
        if not quiet:
            return
        offsets = {number: self._bookmark(number) + 1 for number in quiet}
        for number in sorted(await ending.reached(offsets)):
            async with self._locks[number]:
                if self._bookmark(number) + 1 == offsets[number]:
                    await self._close(number, at)

    def _last_at(self, partition: int) -> float:
        return self._last.get(partition, (-1, 0.0))[1]


def _read_key(key: str) -> tuple[int, str]:
    number, _, step = key.partition("/")
    return int(number), step


def _attempts(message: Any) -> list[Attempt]:
    """None of a record that is not the journal's: whoever wrote it there, it must not hold us up."""
    headers = message.headers or []
    pairs = headers.items() if isinstance(headers, dict) else headers
    if not is_facts(pairs):
        return []
    try:
        return attempts_of(message.value or b"")
    except NotFacts:
        return []
