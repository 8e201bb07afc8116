"""One step at work: leases partitions, takes records in, lets runners run them, and commits what ended.

Three loops share one event loop: intake polls, runners pull, the committer writes whatever is ready as soon as
it is idle. User code never runs inside a commit.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from farandole.events.errors import Fenced, RecordRefused
from farandole.log.hooks import Commit, Hooks
from farandole.log.ports import Committed, Interest, Lease, Log, Subscription
from farandole.log.record import Record
from farandole.log.standing import Standing
from farandole.runtime.compose import COMMIT_RECORDS, OPEN_AFTER, Prepared, compose, take
from farandole.runtime.delivery import Delivery, State
from farandole.runtime.outcome import Outcome
from farandole.runtime.partition import Partition
from farandole.runtime.plan import Plan
from farandole.runtime.restore import restore
from farandole.runtime.runners import End, Runner
from farandole.runtime.sources import Sources
from farandole.runtime.standing import Diary, standing_of
from farandole.runtime.told import TOLD, ended

WINDOW = 1000  # deliveries without a row that a worker holds; polling waits above it
POLL = 500  # records of one poll
ROWS_LIMIT = 10_000  # delayed or parked deliveries of a partition above which its topic is no longer polled
COMMIT_GRACE = 10.0  # seconds that the commit of what has run may take, once nothing more is begun
HOUSEKEEPING = 1.0  # seconds between two looks at what grew old, while anything is in flight


class Worker:
    """Implements `Crew` for its partitions. `grace`: seconds that what runs has when a lease is wanted back."""

    def __init__(self, plan: Plan, log: Log, sources: Sources, hooks: Hooks | None, grace: float) -> None:
        self.plan, self._grace = plan, grace
        self._log, self._sources, self._hooks = log, sources, hooks
        self._partitions: dict[int, Partition] = {}
        self._paused: set[int] = set()
        self._finished: deque[Outcome] = deque()
        self._work = asyncio.Event()
        self._moved = asyncio.Event()
        self._aged = self._committing = False
        self._most = COMMIT_RECORDS  # outcomes of the next commit; fewer while the one that is refused is sought
        self._ageing: asyncio.TimerHandle | None = None
        self._over = asyncio.Event()
        self._failure: BaseException | None = None
        self._polling: asyncio.Task[None] | None = None
        self._runner: Runner | None = None
        self._sub: Subscription | None = None
        self._drains: set[asyncio.Task[None]] = set()
        self._diary = Diary()

    # -- Crew -----------------------------------------------------------------------------------------------

    def ready(self, delivery: Delivery) -> None:
        """Hand it to the runner."""
        delivery.partition.running += 1
        delivery.state = State.RUNNING
        assert self._runner is not None
        self._runner.put(delivery)

    def finished(self, outcome: Outcome) -> None:
        """Queue it for the next commit."""
        self._finished.append(outcome)
        self._work.set()

    def later(self, delay: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        """A timer of the event loop."""
        return asyncio.get_running_loop().call_later(delay, self._guarded, call)

    def clock(self) -> float:
        """The event loop's time."""
        return asyncio.get_running_loop().time()

    def foreign(self, source: str) -> bool:
        """Whether no manifest names it."""
        return source not in self._sources.known

    # -- running --------------------------------------------------------------------------------------------

    def ended(self, ends: list[End]) -> None:
        """Attempts ended; called on the event loop by the runner."""
        self._guarded(partial(self._ended, ends))
        self._moved.set()

    def _ended(self, ends: list[End]) -> None:
        self._diary.moves += len(ends)
        for delivery, given, error, started, finished in ends:
            partition = delivery.partition
            partition.running -= 1
            if partition.gone:
                continue
            if given is not None:
                partition.complete(delivery, given, started, finished)
            elif error is not None:
                partition.fail(delivery, error, started, finished)
            elif delivery.state is State.RUNNING:  # it was not begun
                delivery.state = State.READY

    def _guarded(self, call: Callable[[], None]) -> None:
        """Call what nobody waits for; what it raises ends `run`, for a delivery without an outcome would hang."""
        try:
            call()
        except Exception as error:  # noqa: BLE001 - raised again by `run`
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._over.set()

    async def run(self, runner: Runner) -> None:
        """Work until `stop`; raises LogUnavailable when the log itself does not go on."""
        plan, policy = self.plan, self.plan.step.policy
        self._runner = runner
        inbox = None if plan.leased == plan.inbox else plan.inbox
        interest = Interest(plan.producer, plan.leased, policy.start, inbox, plan.state, self._grace)
        self._sub = await self._log.subscribe(interest)
        self._diary.joined = self.clock()
        if self._over.is_set():  # stopped while it was about to begin
            await self._sub.close()
            return
        runner.start()
        async with asyncio.TaskGroup() as group:
            committer = group.create_task(self._commit_loop())
            self._polling = group.create_task(self._intake())
            await self._over.wait()
            if self._failure is not None:
                raise self._failure
            committer.cancel()
            self._polling.cancel()

    async def _intake(self) -> None:
        sub = self._subscription
        while True:
            room = min(POLL, WINDOW - self._load())
            if room <= 0:
                self._moved.clear()
                polled = await sub.poll(limit=0, timeout=0.0)
            else:
                polled = await sub.poll(limit=room, timeout=1.0)
            self._diary.polled = self.clock()
            for lease in polled.lost:
                self._lose(lease)
            for lease in polled.granted:
                self._diary.restoring = True
                await self._grant(lease)
                self._diary.restoring, self._diary.granted = False, True
            for lease in polled.revoking:
                self._revoke(lease)
            if polled.records:
                self._take(polled.records)
            if room <= 0:
                await self._some_move(0.5)

    def _take(self, records: list[Record]) -> None:
        self._diary.taken += len(records)
        now = self.clock()  # once a batch: finding the running loop costs more than reading its time
        for record in records:
            partition = self._partitions.get(record.partition)
            if partition is not None and not partition.draining:
                partition.take(record, now)
        self._watch()

    @property
    def _subscription(self) -> Subscription:
        assert self._sub is not None
        return self._sub

    def _load(self) -> int:
        return sum(len(per) for p in self._partitions.values() for per in p.inflight.values())

    async def _some_move(self, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._moved.wait()
        except TimeoutError:
            return

    # -- leases ---------------------------------------------------------------------------------------------

    async def _grant(self, lease: Lease) -> None:
        partition = Partition(self.plan, lease, self)
        try:
            rows = await self._subscription.restore(lease)
        except Fenced:  # it ran out meanwhile; the next poll says so
            return
        self._partitions[lease.partition] = partition
        await restore(partition, rows, self._log.fetch)
        self._throttle(partition)
        self._note("lease granted", partition=lease.partition, epoch=lease.epoch, rows=len(rows))

    def _lose(self, lease: Lease) -> None:
        partition = self._partitions.get(lease.partition)
        if partition is not None and partition.lease == lease:
            self._forget(partition)
            self._note("lease lost", partition=lease.partition, epoch=lease.epoch)

    def _forget(self, partition: Partition) -> None:
        partition.gone = True
        for delivery in partition.owed.values():
            if delivery.timer is not None:
                delivery.timer.cancel()
        if self._partitions.get(partition.lease.partition) is partition:
            del self._partitions[partition.lease.partition]
        self._paused.discard(partition.lease.partition)

    def _revoke(self, lease: Lease) -> None:
        partition = self._partitions.get(lease.partition)
        if partition is None or partition.lease != lease:
            return
        task = asyncio.get_running_loop().create_task(self._give_back(partition))
        self._drains.add(task)
        task.add_done_callback(self._drained)

    def _drained(self, task: asyncio.Task[None]) -> None:
        self._drains.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(error)

    async def _give_back(self, partition: Partition) -> None:
        await self._drain([partition], self._grace)
        self._forget(partition)
        await self._subscription.release(partition.lease)
        self._note("lease released", partition=partition.lease.partition)

    async def _drain(self, partitions: list[Partition], grace: float) -> None:
        """Begin nothing more; wait until what runs has ended and is committed, at most `grace` seconds."""
        deadline = self.clock() + grace
        for partition in partitions:
            partition.draining = True
        while any(p.running for p in partitions if not p.gone) and self.clock() < deadline:
            self._moved.clear()
            await self._some_move(min(0.5, max(0.0, deadline - self.clock())))
        while (self._finished or self._committing) and self.clock() < deadline + COMMIT_GRACE:
            self._moved.clear()
            await self._some_move(0.5)

    async def stop(self, grace: float) -> list[str]:
        """Drain within `grace` seconds, give the leases back; ids of the deliveries that were left running."""
        for task in (self._polling, *self._drains):
            if task is not None:
                task.cancel()
        await self._drain(list(self._partitions.values()), grace)
        left = [
            d.ids.delivery
            for p in self._partitions.values()
            for d in (*p.owed.values(), *(d for per in p.inflight.values() for d in per.values()))
            if d.state is State.RUNNING
        ]
        for partition in list(self._partitions.values()):
            self._forget(partition)
        if self._runner is not None:
            await self._runner.stop()
        if self._sub is not None:
            await self._sub.close()
        self._over.set()
        return left

    # -- committing -----------------------------------------------------------------------------------------

    def _watch(self) -> None:
        if self._ageing is None:
            self._ageing = self.later(HOUSEKEEPING, self._look)

    def _look(self) -> None:
        self._ageing = None
        if self._load():
            self._watch()
        old = self.clock() - OPEN_AFTER
        for partition in self._partitions.values():
            for per_topic in partition.inflight.values():
                first = next(iter(per_topic.values()), None)
                if first is not None and first.received <= old:
                    self._aged = True
                    self._work.set()

    async def _commit_loop(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self._finished or self._aged:
                self._committing = True
                await self._commit(min(take(self._finished), self._most))
                self._committing = False
            self._moved.set()

    async def _commit(self, count: int) -> None:
        batch = [self._finished.popleft() for _ in range(count)]
        age = self.clock() - OPEN_AFTER if self._aged else -1.0
        self._aged = False
        prepared = compose(self.plan, batch, self._partitions.values(), age)
        if not prepared:
            return
        begun = time.perf_counter()
        try:
            done = await self._subscription.commit([p.unit for p in prepared])
        except RecordRefused as error:
            self._halve(batch, error)
            return
        self._most = COMMIT_RECORDS
        self._diary.moves += 1
        self._apply(prepared, done)
        if self._hooks is not None:
            self._tell(self._hooks, batch, prepared, time.perf_counter() - begun)

    def _apply(self, prepared: list[Prepared], done: Committed) -> None:
        fenced = {unit.lease for unit in done.fenced}
        for part in prepared:
            if part.unit.lease in fenced:
                self._forget(part.partition)
                self._note("commit fenced", partition=part.unit.lease.partition, epoch=part.unit.lease.epoch)
            else:
                part.apply()
                self._throttle(part.partition)
        self._moved.set()

    def _halve(self, batch: list[Outcome], error: RecordRefused) -> None:
        """The log refused a record: commit less until one outcome is alone with it; that one is dead-lettered.

        What waits stays in the queue, in order: of it, what follows in the offender's lane must not commit.
        """
        if len(batch) > 1:
            self._finished.extendleft(reversed(batch))
            self._most = len(batch) // 2
            return
        self._most = COMMIT_RECORDS
        outcome = batch[0] if batch else None
        if outcome is None or outcome.ending != "completed":
            raise error
        outcome.delivery.partition.refuse(outcome, error, self._finished)

    def _throttle(self, partition: Partition) -> None:
        """Stop polling the topic of a partition that owes too much; go on when half of it is gone."""
        number, lease = partition.lease.partition, partition.lease
        if self.plan.leased == self.plan.inbox:
            return
        paused = number in self._paused
        if not paused and len(partition.owed) < ROWS_LIMIT:
            return
        delayed = sum(delivery.state is not State.DEAD for delivery in partition.owed.values())
        if not paused and delayed >= ROWS_LIMIT:
            self._paused.add(number)
            self._subscription.pause(lease, self.plan.leased)
            self._note("partition paused", partition=number, rows=delayed)
        elif paused and delayed < ROWS_LIMIT // 2:
            self._paused.discard(number)
            self._subscription.resume(lease, self.plan.leased)
            self._note("partition resumed", partition=number, rows=delayed)

    # -- telemetry ------------------------------------------------------------------------------------------

    def _tell(self, hooks: Hooks, batch: list[Outcome], prepared: list[Prepared], seconds: float) -> None:
        step, records = self.plan.step, sum(len(p.unit.outputs) for p in prepared)
        batch = [outcome for outcome in batch if not outcome.delivery.partition.gone]
        hooks.committed(Commit(step.service, step.name, records, seconds, batch, partial(ended, self.plan)))
        heard = [ending for ending in TOLD if hooks.hears(ending)]
        for outcome in batch if heard else ():
            if outcome.ending in heard:
                hooks.ended(ended(self.plan, outcome))

    def standing(self) -> Standing:
        """How the step stands in this process now; to be asked on the event loop."""
        settling = bool(self._finished) or self._committing
        return standing_of(
            self.plan, list(self._partitions.values()), len(self._paused), self._diary, self.clock(), settling=settling
        )

    def _note(self, event: str, **fields: Any) -> None:
        if self._hooks is not None:
            self._hooks.noted(event, step=self.plan.producer, **fields)
