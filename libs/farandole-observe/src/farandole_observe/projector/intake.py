"""What a replica reads: the journal, and inputs no further ahead of it than its facts need.

A workflow stays in memory from its input to its last fact. If inputs were read as fast as they can be, a backlog of
any length would lie there.
"""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress

from farandole.events.errors import LogError
from farandole.events.topics import JOURNAL, MANIFESTS
from farandole.log.ports import Log, Reader
from farandole.log.record import Record, TopicPartition

_BATCH, _FIRST = 1_000, 20  # records of one poll: at most, and of the first
_BYTES = 500_000  # of one poll, about: a record of the journal holds one fact or a thousand, up to 256 kB
_TOLD = frozenset({JOURNAL, MANIFESTS})


class Intake:
    """Reads topics from where it is told on, for one who takes.

    Facts are handed out after what inputs the log took before them. Not strictly: among partitions of one topic it has
    no choice, and the fold needs no order.
    """

    def __init__(self, journal: Reader, inputs: Reader | None) -> None:
        self._journal, self._inputs = _Stream(journal), None if inputs is None else _Stream(inputs)
        self._streams = [self._journal] if self._inputs is None else [self._journal, self._inputs]

    @classmethod
    async def open(cls, log: Log, topics: Collection[str], start: Mapping[TopicPartition, int]) -> "Intake":
        """Read on at `start`. Raises LogError."""
        journal = await log.reader(sorted(_TOLD & set(topics)), _of(start, _TOLD))
        others = frozenset(topics) - _TOLD
        try:
            return cls(journal, await log.reader(sorted(others), _of(start, others)) if others else None)
        except (LogError, OSError):
            await journal.close()
            raise

    async def take(self, wait: float) -> list[Record]:
        """What is to be folded next; empty when `wait` seconds passed, or when others have to be looked at again.

        Raises LogError.
        """
        for stream in self._streams:
            await stream.look()
        if not any(stream.waiting for stream in self._streams):
            await asyncio.wait([stream.ask(wait) for stream in self._streams], return_when=asyncio.FIRST_COMPLETED)
            for stream in self._streams:
                stream.answered()
        facts = self._journal.waiting
        if self._inputs is not None and self._inputs.waiting:
            first = min(record.time for record in self._inputs.waiting)
            if not facts or first <= max(record.time for record in facts):
                return self._inputs.hand_out()
        return self._journal.hand_out()

    def positions(self) -> dict[TopicPartition, int]:
        """Behind what was handed out."""
        return {place: offset for stream in self._streams for place, offset in stream.positions.items()}

    async def close(self) -> None:
        """End reading. Raises LogError."""
        for stream in self._streams:
            await stream.close()


class _Stream:
    """A reader, and what it gave last, until that is handed out. `positions`: behind what was handed out."""

    def __init__(self, reader: Reader) -> None:
        self.waiting: list[Record] = []
        self.positions = self._behind = reader.positions()
        self._reader = reader
        self._asked: asyncio.Task[list[Record]] | None = None
        self._limit, self._size = _FIRST, 1.0

    async def look(self) -> None:
        """Have in `waiting` what is there now."""
        self.answered()
        if not self.waiting and self._asked is None:
            self._got(await self._reader.poll(limit=self._limit, timeout=0.0))

    def ask(self, wait: float) -> asyncio.Task[list[Record]]:
        """Something will be there, or `wait` seconds will have passed. While nobody knows, there is nothing new."""
        if self._asked is None:
            self._asked = asyncio.create_task(self._reader.poll(limit=self._limit, timeout=wait))
        return self._asked

    def answered(self) -> None:
        """Take what was asked for, if it has come."""
        if self._asked is not None and self._asked.done():
            asked, self._asked = self._asked, None
            self._got(asked.result())

    def hand_out(self) -> list[Record]:
        """What waits, which is folded now."""
        records, self.waiting = self.waiting, []
        self.positions = self._behind
        return records

    async def close(self) -> None:
        if self._asked is not None:
            asked, self._asked = self._asked, None
            asked.cancel()
            with suppress(asyncio.CancelledError, LogError, OSError):
                await asked
        await self._reader.close()

    def _got(self, records: list[Record]) -> None:
        self.waiting, self._behind = records, self._reader.positions()
        if not records:
            self.positions = self._behind  # what ends a transaction is passed without being given
            return
        mean = sum(len(record.value or b"") for record in records) / len(records)
        self._size = max(1.0, mean, self._size / 2)  # a few small ones do not tell that no large ones follow
        self._limit = max(1, min(_BATCH, int(_BYTES / self._size)))


def _of(start: Mapping[TopicPartition, int], topics: Collection[str]) -> dict[TopicPartition, int]:
    return {place: offset for place, offset in start.items() if place[0] in topics}
