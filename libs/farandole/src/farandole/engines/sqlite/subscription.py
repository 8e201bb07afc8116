"""One member of a group: it polls what it holds, and its commit is the only write of a step."""

import asyncio
import time
from collections.abc import Collection, Sequence
from functools import partial
from itertools import chain

from farandole.engines.sqlite import groups
from farandole.engines.sqlite.feeds import Rota
from farandole.engines.sqlite.groups import Member
from farandole.engines.sqlite.handle import Handle
from farandole.engines.sqlite.holdings import Ground, Holdings
from farandole.engines.sqlite.requests import CommitRequest, Portion, Turn, Txn
from farandole.engines.sqlite.schema import position_id
from farandole.engines.sqlite.state import read_state
from farandole.engines.sqlite.wake import Bell
from farandole.events.errors import ConfigError, Fenced, LogUnavailable
from farandole.log.ports import Committed, Interest, Lease, Polled, Unit
from farandole.log.record import Record

_NONE = -1  # id of no lease


class SqliteSubscription:
    """Implements `Subscription`."""

    def __init__(self, handle: Handle, interest: Interest, ground: Ground, name: str) -> None:
        self.bell = Bell()
        self.topics: Collection[str] = frozenset(filter(None, (interest.topic, interest.inbox)))
        self._handle, self._interest, self._ground, self._name = handle, interest, ground, name
        self._holdings = Holdings(interest, ground)
        self._rota = Rota()
        self._turn = Turn()
        self._member: Member | None = None
        self._group = 0
        self._stale = True  # leases may have come or gone since they were last looked at
        self._dry = False  # the last look gave all that there was
        self._closed = False

    async def join(self) -> None:
        """Take part, for the first time or after this process was taken for dead."""
        topic = self._ground.topic.id

        def apply(txn: Txn, number: int) -> Member:
            return groups.join(txn, number, self._interest, topic, f"{self._name}/{number}")

        member = await self._handle.watch(self, apply)
        if self._closed:  # meanwhile
            await self._handle.run(partial(groups.leave, member=member.id))
            return
        self._member, self._group, self._stale = member, member.group, True

    async def poll(self, *, limit: int, timeout: float) -> Polled:
        """See `Subscription.poll`."""
        until = time.monotonic() + timeout
        if self._dry and timeout > 0 and not self.bell.rung:  # the last look left nothing: no second one before a wait
            await self.bell.wait(timeout)
        else:
            await asyncio.sleep(0)  # who polls without waiting still lets others run
        while True:
            self._check()
            self.bell.still()
            if self._stale:
                await self._catch_up()
            polled = await self._handle.read(lambda: self._look(limit))  # to the return nothing can be cancelled
            self._dry = len(polled.records) < limit
            left = until - time.monotonic()
            if left <= 0 or any(polled):
                return polled
            await self.bell.wait(left)

    async def restore(self, lease: Lease) -> list[Record]:
        """See `Subscription.restore`. Raises Fenced where the lease is gone."""
        self._check()
        rows: list[Record] = []
        read = partial(self._state, lease, rows)
        while more := await self._handle.read(read):
            rows += more
            await asyncio.sleep(0)
        self._stale = True
        await self._handle.read(self._learn)
        self._check_held(lease)
        self._holdings.ready(lease)
        self._dry = False
        return rows

    async def commit(self, units: Sequence[Unit]) -> Committed:
        """See `Subscription.commit`. When one fails, those called meanwhile fail too: none overtakes it."""
        self._check()
        portions = tuple(map(self._portion, units))
        told = self._turn.told
        composed = await self._handle.read(
            lambda: self._handle.composer.compose(chain.from_iterable(p.outputs for p in portions))
        )
        request = CommitRequest(self._handle.future(), portions, composed, self._turn, told)
        committed: Committed = await self._handle.ask(request)
        if committed.fenced:
            self.leases_changed(expelled=False)
        return committed

    def pause(self, lease: Lease, topic: str) -> None:
        """See `Subscription.pause`; harmless when the lease is gone."""
        self._pause(lease, topic, paused=True)

    def resume(self, lease: Lease, topic: str) -> None:
        """See `Subscription.resume`; harmless when the lease is gone."""
        self._pause(lease, topic, paused=False)
        self.bell.ring()

    async def release(self, lease: Lease) -> None:
        """See `Subscription.release`."""
        self._check()
        member, id = self._member, self._id_of(lease)
        if member is None or id == _NONE:
            return
        self._holdings.leave(lease)
        released = False
        try:
            await self._handle.run(partial(groups.release, member=member.id, lease=id, epoch=lease.epoch))
            released = True
        finally:
            self._holdings.left(lease, released=released)
            self._dry = False

    async def close(self) -> None:
        """See `Subscription.close`. Where it fails, the leases run out by themselves."""
        if self._closed:
            return
        self._closed = True
        self.bell.ring()
        member = self._member
        await self._handle.unwatch(self, lambda txn: groups.leave(txn, member.id) if member else None)

    def leases_changed(self, *, expelled: bool) -> None:
        """See `Watcher.leases_changed`."""
        self._stale = True
        if expelled:
            self._member = None
        self.bell.ring()

    def _look(self, limit: int) -> Polled:
        records = self._rota.take(self._handle.db, self._holdings.feeds(), limit)
        return self._holdings.tell()._replace(records=records)

    async def _catch_up(self) -> None:
        if self._member is None:
            await self.join()
        await self._handle.read(self._learn)
        await self._give_back_unwanted()

    async def _give_back_unwanted(self) -> None:
        member, unwanted = self._member, self._holdings.unwanted
        self._holdings.unwanted = []
        if member is not None:
            for lease, epoch in unwanted:
                await self._handle.run(partial(groups.release, member=member.id, lease=lease, epoch=epoch))

    def _learn(self) -> None:
        if self._stale and self._member is not None:
            self._holdings.learn(self._handle.db, self._member)
            self._stale = False

    def _state(self, lease: Lease, rows: Sequence[Record]) -> list[Record]:
        state = self._ground.state
        offset = rows[-1].offset + 1 if rows else 0
        return read_state(self._handle.db, state, lease.partition, offset) if state is not None else []

    def _check_held(self, lease: Lease) -> None:
        if self._member is None or self._holdings.of(lease) is None:
            raise Fenced(f"{lease.group} no longer holds partition {lease.partition} in epoch {lease.epoch}; drop it")

    def _pause(self, lease: Lease, topic: str, *, paused: bool) -> None:
        held = self._holdings.of(lease)
        for feed in held.feeds if held else ():
            if feed.topic.name == topic:
                feed.paused = paused

    def _portion(self, unit: Unit) -> Portion:
        number = unit.lease.partition
        positions = tuple((self._position_id(topic, number), offset) for topic, offset in unit.positions.items())
        member = self._member.id if self._member else _NONE
        return Portion(unit, self._id_of(unit.lease), member, tuple(unit.outputs), positions)

    def _position_id(self, topic: str, number: int) -> int:
        for leased in (self._ground.topic, self._ground.inbox):
            if leased is not None and leased.name == topic:
                return position_id(self._group, leased.tp(number))
        raise ConfigError(
            f"group {self._interest.group!r} has no position in {topic!r}; it leases {sorted(self.topics)}"
        )

    def _id_of(self, lease: Lease) -> int:
        topic = self._ground.topic
        ours = lease.group == self._interest.group and lease.topic == topic.name
        inside = ours and 0 <= lease.partition < topic.partitions
        return position_id(self._group, topic.tp(lease.partition)) if inside else _NONE

    def _check(self) -> None:
        if self._closed:
            raise LogUnavailable(f"this member of {self._interest.group!r} is closed; subscribe again")
        self._handle.check()
