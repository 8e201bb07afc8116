"""`Observer`: reads what the fold needs, in the order it comes, and folds it; it writes nothing."""

import asyncio

from farandole.events.codec import decode
from farandole.events.errors import DecodeError
from farandole.events.facts import FACTS, read_facts
from farandole.events.manifest import Manifest
from farandole.events.topics import JOURNAL, MANIFESTS
from farandole.fold import Fold
from farandole.log.manifests import read_manifest
from farandole.log.ports import Log, Reader
from farandole.log.record import NewRecord, Place, Record

_BATCH = 1000
_SLICE = 30.0  # seconds of one poll; news end it at once
_LOOK = 0.05  # seconds between two looks at whether a poll under way has come to the end


class Observer:
    """Follows the journal, the manifests, and the topics of every type that a manifest accepts from outside.

    `fold` is what they amount to; `manifests` the latest of each service version. `unread` counts records of the
    journal that are none of ours.
    """

    def __init__(self, log: Log) -> None:
        self.fold = Fold()
        self.manifests: dict[str, Manifest] = {}
        self.unread = 0
        self._log = log
        self._reader: Reader | None = None
        self._followed: frozenset[str] = frozenset()
        self._pump: asyncio.Task[bool] | None = None

    async def catch_up(self) -> None:
        """Read to the present end."""
        while await self._is_behind():
            if self._pending:
                await self.follow(_LOOK)
            else:
                await self._read(_LOOK)

    async def follow(self, timeout: float) -> None:
        """Wait for news at most `timeout` seconds; all that wait share one reading."""
        if not self._pending:
            self._pump = asyncio.get_running_loop().create_task(self._once(_SLICE))
        assert self._pump is not None
        await asyncio.wait({self._pump}, timeout=timeout)
        if self._pump.done():
            self._pump.result()

    def add_input(self, new: NewRecord, place: Place) -> None:
        """An input of our own, in a topic that is not followed."""
        self._input(Record(*place, self._log.clock.now(), new.key, new.value, new.headers))

    async def close(self) -> None:
        """Stop reading."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
            self._pump = None
        await self._end()

    @property
    def _pending(self) -> bool:
        return self._pump is not None and not self._pump.done()

    async def _read(self, timeout: float) -> bool:
        self._pump = asyncio.get_running_loop().create_task(self._once(timeout))
        return await asyncio.shield(self._pump)

    async def _once(self, timeout: float) -> bool:
        """Read what is there, or wait for it; whether there was anything."""
        records = await (await self._reading()).poll(limit=_BATCH, timeout=timeout)
        for record in records:
            self._take(record)
        return bool(records)

    async def _is_behind(self) -> bool:
        if self._reader is None or self._wanted() != self._followed:
            return True
        positions = self._reader.positions()
        spans = await self._log.spans(sorted(self._followed))
        return any(span.end > positions.get(place, span.start) for place, span in spans.items())

    def _wanted(self) -> frozenset[str]:
        return self.fold.topology.accepted_topics | {JOURNAL, MANIFESTS}

    async def _reading(self) -> Reader:
        wanted = self._wanted()
        if self._reader is None or wanted != self._followed:
            start = {} if self._reader is None else self._reader.positions()
            await self._end()
            self._reader, self._followed = await self._log.reader(sorted(wanted), start), wanted
        return self._reader

    async def _end(self) -> None:
        if self._reader is not None:
            reader, self._reader = self._reader, None
            await reader.close()

    def _take(self, record: Record) -> None:
        if record.topic == JOURNAL:
            self._facts(record)
        elif record.topic == MANIFESTS:
            manifest = read_manifest(record)
            if manifest is not None:
                self.manifests[manifest.key] = manifest
                self.fold.apply_manifest(manifest)
        else:
            self._input(record)

    def _facts(self, record: Record) -> None:
        try:
            envelope = decode(record.key, record.value, record.headers)
            facts = read_facts(envelope.data) if envelope.type == FACTS else []
        except (DecodeError, ValueError):
            self.unread += 1
        else:
            self.fold.apply_facts(facts, record.time)

    def _input(self, record: Record) -> None:
        """What cannot be decoded is no input; the steps that take it tell of it in the journal."""
        try:
            envelope = decode(record.key, record.value, record.headers)
        except DecodeError:
            return
        self.fold.apply_input(envelope, record.place, record.time)
