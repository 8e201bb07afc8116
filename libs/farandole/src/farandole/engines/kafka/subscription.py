"""One member of a group: it polls what it holds, and its commit is the only write of a step."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import NamedTuple

from confluent_kafka import KafkaError, Message

from farandole.engines.kafka import takeover
from farandole.engines.kafka.advance import Advancer
from farandole.engines.kafka.beginnings import Beginnings
from farandole.engines.kafka.catalog import Catalog
from farandole.engines.kafka.clients import MARGIN, Clients
from farandole.engines.kafka.committer import Committer
from farandole.engines.kafka.convert import record_of
from farandole.engines.kafka.desk import Desk
from farandole.engines.kafka.failures import unavailable
from farandole.engines.kafka.greeting import greet_again
from farandole.engines.kafka.hold import Hold
from farandole.engines.kafka.intake import Intake
from farandole.engines.kafka.member import Member
from farandole.engines.kafka.names import Names
from farandole.engines.kafka.positions import Positions
from farandole.engines.kafka.pump import Pump
from farandole.engines.kafka.state import StateReader
from farandole.engines.kafka.stranded import Administrator
from farandole.engines.kafka.taker import Taker
from farandole.engines.kafka.transactor import Aborted, Transactor, Unknown
from farandole.events.errors import ConfigError, FarandoleError, Fenced, LogUnavailable
from farandole.events.topics import PROOFS
from farandole.log.ports import Committed, Interest, Lease, Polled, Unit
from farandole.log.record import Record

_LEAVING = 15.0  # seconds to say that it let go; a successor finds out by itself


class Parts(NamedTuple):
    """What a subscription is made of."""

    clients: Clients
    admin: Administrator
    catalog: Catalog
    names: Names
    passed: Callable[[str], None]


class KafkaSubscription:
    """Implements `Subscription`; hears what its member's thread hears, and answers on the event loop."""

    def __init__(self, parts: Parts, interest: Interest, number: int) -> None:
        self._parts, self._interest = parts, interest
        self._loop = asyncio.get_running_loop()
        self._positions = Positions(parts.clients, parts.names.outer(interest.group), parts.names.outer(PROOFS))
        self._scene = takeover.Scene(parts.admin, parts.names, interest, self._positions)
        self._outer = {name: parts.names.outer(name) for name in (interest.topic, interest.inbox) if name}
        self._inner = {outer: name for name, outer in self._outer.items()}
        self._holds: dict[int, Hold] = {}
        self._returning: list[tuple[set[int], threading.Event]] = []
        self._granted: list[Lease] = []
        self._revoking: list[Lease] = []
        self._lost: list[Lease] = []
        self._bell = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: FarandoleError | None = None
        self._closed = False
        self._states = StateReader(parts.clients, parts.admin, self._scene.group, f"state-{number}")
        self._member = Member(
            lambda: parts.clients.member(self._scene.group, interest.grace),
            list(self._outer.values()),
            self,
            interest.grace + MARGIN,
        )
        self._intake = Intake(self._member, parts.admin, self._outer, lambda error: self._tell(self._fail, error))
        transactor = Transactor(parts.clients, parts.clients.transactional_id(self._scene.group, number), parts.passed)
        self._committer = Committer(transactor, self._member, parts.names, lambda: list(self._holds.values()))
        self._desk = Desk(self._committer, f"commit-{number}")
        self._pump = Pump(self._committer, self._desk, parts.catalog, self._scene, self._holds)
        self._advancer = Advancer(self._pump, self._holds)
        beginnings = Beginnings(parts.catalog, parts.names, self._states)
        self._taker = Taker(self._scene, beginnings, self._committer, self._desk, held=self._holds, granted=self._grant)
        self._member.start()

    # -- the port ---------------------------------------------------------------------------------------------

    async def poll(self, *, limit: int, timeout: float) -> Polled:
        """See `Subscription.poll`."""
        until = time.monotonic() + timeout
        await asyncio.sleep(0)
        while True:
            self._check()
            self._bell.clear()
            polled = Polled(
                self._granted, self._revoking, self._lost, self._intake.take(list(self._holds.values()), limit)
            )
            self._granted, self._revoking, self._lost = [], [], []
            left = until - time.monotonic()
            if left <= 0 or any(polled):
                return polled
            try:
                async with asyncio.timeout(left):
                    await self._bell.wait()
            except TimeoutError:
                continue

    async def restore(self, lease: Lease) -> list[Record]:
        """See `Subscription.restore`. Raises Fenced where the lease is gone."""
        self._check()
        hold = self._held(lease)
        rows: list[Record] = []
        if self._interest.state is not None:
            outer = self._parts.names.outer(self._interest.state)
            rows = await self._states.rows(outer, self._interest.state, lease.partition, hold.state_end)
            hold = self._held(lease)
        self._intake.fetch(hold)
        return rows

    async def commit(self, units: Sequence[Unit]) -> Committed:
        """See `Subscription.commit`."""
        self._check()
        for unit in units:
            for topic in unit.positions:
                if topic not in self._outer:
                    raise ConfigError(
                        f"group {self._interest.group!r} has no position in {topic!r}; it leases {sorted(self._outer)}"
                    )
        committed = await self._pump.commit(units)
        self._advancer.arm()
        return committed

    def pause(self, lease: Lease, topic: str) -> None:
        """See `Subscription.pause`; harmless when the lease is gone."""
        hold = self._holds.get(lease.partition)
        if hold is not None and hold.lease == lease and topic in hold.queues:
            hold.queues[topic].paused = True

    def resume(self, lease: Lease, topic: str) -> None:
        """See `Subscription.resume`; harmless when the lease is gone."""
        hold = self._holds.get(lease.partition)
        if hold is not None and hold.lease == lease and topic in hold.queues:
            hold.queues[topic].paused = False
            self._bell.set()

    async def release(self, lease: Lease) -> None:
        """See `Subscription.release`."""
        self._check()
        hold = self._holds.get(lease.partition)
        if hold is None or hold.lease != lease:
            return
        with self._taker.leaving(lease.partition):
            self._forget(hold)
            await self._leave([hold])
            if not hold.revoking:
                await asyncio.wrap_future(self._member.leave_off(lease.partition))
        if hold.revoking:
            self._let_go_of(lease.partition)
        else:
            self._begin(self._taker.work())

    async def close(self) -> None:
        """See `Subscription.close`."""
        if self._closed:
            return
        self._closed = True
        self._bell.set()
        self._advancer.stop()
        held = list(self._holds.values())
        self._holds.clear()
        for task in self._tasks:
            task.cancel()
        self._pump.close()
        for _, event in self._returning:
            event.set()
        if held and self._failure is None:
            with suppress(TimeoutError):  # behind a call that does not come back
                async with asyncio.timeout(_LEAVING):
                    await self._leave(held)
        await asyncio.to_thread(self._member.stop)
        await self._states.close()
        await self._positions.close()
        self._desk.end()

    # -- on the member's thread -------------------------------------------------------------------------------

    def assigned(self, partitions: list[int]) -> None:
        """See `Heard.assigned`."""
        self._taker.claim(partitions)
        self._tell(self._on_assigned, partitions)

    def revoked(self, partitions: list[int]) -> threading.Event:
        """See `Heard.revoked`."""
        done = threading.Event()
        if not self._tell(self._on_revoked, partitions, done):
            done.set()
        return done

    def lost(self, partitions: list[int]) -> None:
        """See `Heard.lost`."""
        for claim in self._taker.claims(partitions):
            claim.gone = True
        self._tell(self._on_lost, partitions)

    def let_go(self, partitions: list[int]) -> None:
        """See `Heard.let_go`."""
        self._committer.drop(self._taker.claims(partitions))
        self._tell(self._on_lost, partitions)

    def came(self, messages: list[Message]) -> None:
        """See `Heard.came`."""
        self._tell(self._on_records, [record_of(m, self._inner[m.topic() or ""]) for m in messages])

    def ended(self, topic: str, partition: int, offset: int) -> None:
        """See `Heard.ended`."""
        self._tell(self._on_end, self._inner[topic], partition, offset)

    def strayed(self, topic: str, partition: int) -> None:
        """See `Heard.strayed`."""
        self._tell(self._on_strayed, topic, partition)

    def failed(self, error: KafkaError) -> None:
        """See `Heard.failed`. After a login that was refused for a moment the client goes on by itself."""
        if error.code() == KafkaError._AUTHENTICATION:
            self._tell(lambda: self._begin(greet_again(self._parts.clients)))
        else:
            self._tell(self._fail, unavailable(f"{self._interest.group} can't read {self._interest.topic!r}", error))

    def _tell(self, call: Callable[..., None], *args: object) -> bool:
        try:
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:  # the event loop has ended
            return False
        return True

    # -- on the event loop ------------------------------------------------------------------------------------

    def _on_assigned(self, partitions: list[int]) -> None:
        if self._closed:
            return
        self._taker.want(partitions)
        self._begin(self._taker.work())

    def _on_revoked(self, partitions: list[int], done: threading.Event) -> None:
        self._taker.unwant(partitions)
        wanted = [hold for number in partitions if (hold := self._holds.get(number)) is not None]
        if self._closed or not wanted:
            done.set()
            return
        self._returning.append(({hold.lease.partition for hold in wanted}, done))
        for hold in wanted:
            hold.revoking = True
            self._revoking.append(hold.lease)
        self._bell.set()

    def _on_lost(self, partitions: list[int]) -> None:
        self._taker.unwant(partitions)
        for number in partitions:
            hold = self._holds.get(number)
            if hold is not None:
                self._forget(hold)
                if hold.lease in self._granted:  # nobody has heard of it yet
                    self._granted.remove(hold.lease)
                else:
                    self._lost.append(hold.lease)
            self._let_go_of(number)
        self._bell.set()

    def _on_records(self, records: list[Record]) -> None:
        self._intake.put(self._holds, records)
        self._bell.set()

    def _on_end(self, topic: str, partition: int, offset: int) -> None:
        hold = self._holds.get(partition)
        if hold is not None and hold.ready:
            hold.queues[topic].end = offset
            self._advancer.arm()

    def _on_strayed(self, topic: str, partition: int) -> None:
        hold = self._holds.get(partition)
        if hold is not None and hold.ready and not hold.gone:
            self._begin(self._intake.find_the_way(hold, self._inner[topic]))

    def _fail(self, error: FarandoleError) -> None:
        self._failure = self._failure or error
        self._bell.set()

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        if self._closed:
            work.close()
            return
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, FarandoleError):
            self._fail(error)
        elif error is not None:
            self._fail(LogUnavailable(f"{self._interest.group} could not take over: {error!r}"))

    def _grant(self, hold: Hold) -> None:
        self._holds[hold.lease.partition] = hold
        self._granted.append(hold.lease)
        self._bell.set()
        if self._interest.state is None:
            self._intake.fetch(hold)

    async def _leave(self, holds: list[Hold]) -> None:
        try:
            await self._desk.do(self._committer.leave, holds)
        except (Aborted, Unknown, LogUnavailable):
            return  # the successor ends what is open, and fences

    def _forget(self, hold: Hold) -> None:
        if self._holds.get(hold.lease.partition) is hold:
            del self._holds[hold.lease.partition]

    def _let_go_of(self, partition: int) -> None:
        for wanted, done in list(self._returning):
            wanted.discard(partition)
            if not wanted:
                done.set()
                self._returning.remove((wanted, done))

    def _held(self, lease: Lease) -> Hold:
        hold = self._holds.get(lease.partition)
        if hold is None or hold.lease != lease or hold.gone:
            raise Fenced(f"{lease.group} no longer holds partition {lease.partition} in epoch {lease.epoch}; drop it")
        return hold

    def _check(self) -> None:
        if self._closed:
            raise LogUnavailable(f"this member of {self._interest.group!r} is closed; subscribe again")
        if self._failure is not None:
            raise self._failure
