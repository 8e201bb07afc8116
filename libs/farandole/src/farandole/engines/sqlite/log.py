"""`SqliteLog`: the log's port on one file; what it does stands in the modules beside it."""

import os
import socket
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from farandole.engines.sqlite import queries
from farandole.engines.sqlite.catalog import Catalog, check_shape, create_topics
from farandole.engines.sqlite.checkpoint import Checkpointer
from farandole.engines.sqlite.clock import SystemClock
from farandole.engines.sqlite.compose import RECORD_LIMIT, Composer
from farandole.engines.sqlite.database import connect, connect_reader
from farandole.engines.sqlite.faults import faults_of
from farandole.engines.sqlite.handle import Handle, Tools
from farandole.engines.sqlite.holdings import Ground
from farandole.engines.sqlite.identities import Identity
from farandole.engines.sqlite.lock import FileLock
from farandole.engines.sqlite.opening import check_settings, lock_path, open_file
from farandole.engines.sqlite.process import this_process
from farandole.engines.sqlite.pruning import cut
from farandole.engines.sqlite.pulse import Pulse
from farandole.engines.sqlite.reader import SqliteReader
from farandole.engines.sqlite.registry import Host
from farandole.engines.sqlite.requests import AppendRequest, Txn
from farandole.engines.sqlite.subscription import SqliteSubscription
from farandole.engines.sqlite.wake import Post
from farandole.engines.sqlite.watch import Noted, Watch, unnoted
from farandole.engines.sqlite.writer import Parts, Writer
from farandole.events.errors import ConfigError, LogUnavailable
from farandole.log.ports import Capabilities, Clock, Interest, Lease
from farandole.log.pruning import check_prunable
from farandole.log.record import NewRecord, Place, Record, Span, TopicPartition, TopicSpec

LEASE = 6.0
"""Seconds without a sign of life after which a process's leases are given to others."""
LOOP_GRACE = 60.0
"""Seconds for which a process keeps its leases while its event loop is blocked."""
_COMMIT_LIMIT = 10_000
"""Records of one commit; SQLite would take more, but others wait meanwhile."""


class SqliteLog:
    """Implements `Log`. Made by `open`; one handle a process, from one event loop."""

    capabilities = Capabilities(
        engine="sqlite",
        durable=True,
        shared=True,
        identities=True,
        record_limit=RECORD_LIMIT,
        commit_limit=_COMMIT_LIMIT,
    )
    clock: Clock = SystemClock()

    def __init__(self, handle: Handle, path: Path) -> None:
        self.path = path
        """The file, symbolic links resolved."""
        self._handle = handle
        self._name = f"{socket.gethostname()}:{os.getpid()}"

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        lease: float = LEASE,
        synchronous: str = "FULL",
        loop_grace: float = LOOP_GRACE,
        noted: Noted = unnoted,
    ) -> "SqliteLog":
        """A handle on the log at `path`, which is made or migrated (after a backup) where need be.

        `lease`, `loop_grace`: seconds. Less than `synchronous="FULL"` gives up what was acknowledged when the
        power fails. `noted` is told what an operator should know. Raises ConfigError for a setting or path that
        cannot be, LogFormatError for a file that is newer, damaged or on a network, LogUnavailable.
        """
        check_settings(lease, synchronous)
        passed = faults_of(os.environ)
        process = this_process()
        try:
            real = await open_file(path, process, noted)
            db, lock, post = connect_reader(real), FileLock(lock_path(real), process), Post()
        except OSError as error:
            raise LogUnavailable(f"log {path}: {error.strerror}; see to disk and limits, then go on") from error
        pulse = Pulse(Host.of(process, post.address, lease), noted, grace=loop_grace)
        composer = Composer(catalog := Catalog(db))
        handle = Handle(Tools(db, catalog, composer, pulse, post, Watch(lock, noted), noted))
        opened = partial(connect, real, synchronous=synchronous)
        checkpointer = Checkpointer(opened, partial(FileLock, lock_path(real), process))
        handle.start(Writer(Parts(opened, lock, composer, pulse, post, checkpointer, passed), handle))
        return cls(handle, real)

    async def ensure(self, topics: Sequence[TopicSpec]) -> None:
        """See `Log.ensure`."""
        wanted = list(topics)
        if await self._handle.read(lambda: self._all_there(wanted)):
            return

        def create(txn: Txn) -> None:
            txn.effects.everyone |= create_topics(txn.db, wanted, txn.now)

        await self._handle.run(create)

    async def topics(self) -> list[TopicSpec]:
        """See `Log.topics`."""
        catalog = self._handle.catalog
        return [topic.spec for topic in await self._handle.read(catalog.all)]

    async def append(
        self, records: Sequence[NewRecord], *, identities: Sequence[bytes | None] | None = None
    ) -> list[Place]:
        """See `Log.append`."""
        self._handle.check()
        given = tuple(records)
        names = (None,) * len(given) if identities is None else tuple(identities)
        if len(names) != len(given):
            raise ConfigError(f"{len(names)} identities for {len(given)} records; give one each, or none")
        known = tuple(Identity.of(name, new.value) if name is not None else None
                      for name, new in zip(names, given, strict=True))  # fmt: skip
        request = await self._handle.read(lambda: self._append_request(given, known))
        written = await self._handle.ask(request)
        catalog = self._handle.catalog
        return await self._handle.read(lambda: [Place(*catalog.place(tp), offset) for tp, offset in written])

    async def subscribe(self, interest: Interest) -> SqliteSubscription:
        """See `Log.subscribe`. Raises ConfigError where a topic is missing or of another shape."""
        ground = await self._handle.read(lambda: self._ground(interest))
        subscription = SqliteSubscription(self._handle, interest, ground, self._name)
        await subscription.join()
        return subscription

    async def reader(self, topics: Sequence[str], start: Mapping[TopicPartition, int] | None = None) -> SqliteReader:
        """See `Log.reader`."""
        reader = SqliteReader(self._handle, topics, start or {})
        await self._handle.read(reader.attach)
        return reader

    async def fetch(self, topic: str, partition: int, offset: int) -> Record | None:
        """See `Log.fetch`."""
        db, catalog = self._handle.db, self._handle.catalog
        return await self._handle.read(lambda: queries.fetch(db, catalog, topic, partition, offset))

    async def spans(self, topics: Sequence[str]) -> dict[TopicPartition, Span]:
        """See `Log.spans`."""
        return await self._handle.read(lambda: queries.spans(self._handle.db, self._handle.catalog, topics))

    async def offset_at(self, topic: str, partition: int, time: float) -> int:
        """See `Log.offset_at`. Raises ConfigError where the partition does not exist."""
        db, catalog = self._handle.db, self._handle.catalog
        return await self._handle.read(lambda: queries.offset_at(db, catalog, topic, partition, time))

    async def prune(self, before: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """See `Log.prune`."""
        wanted = dict(before)
        topics = sorted({topic for topic, _ in wanted})
        spans = await self.spans(topics)
        catalog = self._handle.catalog
        check_prunable(wanted, spans, {name for name in topics if (found := catalog.find(name)) and found.compacted})
        for place, offset in wanted.items():
            part = partial(cut, topic=catalog.get(place[0]), partition=place[1], before=offset)
            while await self._handle.run(part):
                pass
        spans = await self.spans(topics)
        return {place: spans[place].start for place in wanted}

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        """See `Log.committed`."""
        return await self._handle.read(lambda: queries.committed(self._handle.db, self._handle.catalog, group))

    async def leases(self) -> dict[str, list[tuple[Lease, str]]]:
        """See `Log.leases`."""
        return await self._handle.read(lambda: queries.leases(self._handle.db, self._handle.catalog))

    async def close(self) -> None:
        """See `Log.close`."""
        await self._handle.close()

    def _all_there(self, wanted: list[TopicSpec]) -> bool:
        there = {spec: self._handle.catalog.find(spec.name) for spec in wanted}
        for spec, topic in there.items():
            check_shape(spec, topic.spec if topic else spec)
        return None not in there.values()

    def _append_request(self, records: tuple[NewRecord, ...], identities: tuple[Identity | None, ...]) -> AppendRequest:
        composer = self._handle.composer
        tps: list[int] = []
        placed: list[NewRecord] = []
        for record in records:
            tp, new = composer.placed(record)
            tps.append(tp)
            placed.append(new)
        composed = composer.compose(placed)
        return AppendRequest(self._handle.future(), tuple(placed), tuple(tps), identities, composed)

    def _ground(self, interest: Interest) -> Ground:
        catalog = self._handle.catalog
        ground = Ground(
            catalog.get(interest.topic),
            catalog.get(interest.inbox) if interest.inbox else None,
            catalog.get(interest.state) if interest.state else None,
        )
        for other in (ground.inbox, ground.state):
            if other is not None and other.partitions != ground.topic.partitions:
                raise ConfigError(f"topic {other.name!r} has {other.partitions} partitions, {interest.topic!r} "
                                  f"has {ground.topic.partitions}; they are leased by number, so create it "
                                  "with as many")  # fmt: skip
        if ground.state is not None and not ground.state.compacted:
            raise ConfigError(f"topic {ground.state.name!r} is not compacted; a step's state must be")
        return ground
