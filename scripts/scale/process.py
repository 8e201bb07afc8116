"""A simulated process of one step: polls, handles, and commits whatever is ready as soon as the last commit ended.

As `farandole.runtime.worker` does: one interpreter, one commit at a time, at most a window of deliveries at once.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from scripts.scale.engine import Call, Clock, Cores
from scripts.scale.need import POLL
from scripts.scale.streams import NEVER, Lot, Partition

WINDOW = 1_000
"""Deliveries that a process holds at once."""
PAUSE = 0.005
"""Seconds after a commit in which the next one may have to wait for the brokers' marks of the one before."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds. Of CPU: an event and a commit in the process; a commit, a partition that it writes to, an event in
    the brokers. Of the clock: quantiles of a commit after a pause and of one at once after another, all that it takes
    where nothing else runs; `reading`: from visible to polled. `watching`: CPU beside, an event from outside.
    """

    event: float
    commit: float = 0.0
    broker_commit: float = 0.0
    broker_partition: float = 0.0
    broker_event: float = 0.0
    alone: Sequence[float] = (0.0, 0.0)
    again: Sequence[float] = (0.0, 0.0)
    reading: float = 0.0
    watching: float = 0.0
    poll: int = POLL
    window: int = WINDOW


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process stands: the clock, its own cores, the brokers', and how many partitions the journal has."""

    clock: Clock
    cores: Cores
    brokers: Cores
    journal: int


Batch = list[tuple[Partition, Lot]]


class Process:
    """`committed`: called with each batch. `busy`: seconds of its interpreter so far; `commits`, `events`: so many."""

    def __init__(self, place: Place, costs: Costs, rng: Random, committed: Callable[[Batch], None]) -> None:
        self._place, self._costs, self._rng, self._committed = place, costs, rng, committed
        self.partitions: list[Partition] = []
        self.alive = True
        self.busy = 0.0
        self.commits = self.events = 0
        self._first = 0  # partition of the next poll's first look
        self._begin()

    def _begin(self) -> None:
        self._load = 0
        self._handling = self._committing = self._running = False
        self._finished: Batch = []
        self._pieces: deque[tuple[float, Call]] = deque()
        self._wake = NEVER
        self._ended = -1.0

    def kill(self) -> None:
        """What it has not committed comes again elsewhere."""
        self.alive = False
        for partition in self.partitions:
            partition.give_back()
            partition.holder, partition.draining = None, False
        self.partitions = []
        self._begin()

    def hold(self, partition: Partition) -> None:
        """From now on its."""
        partition.holder, partition.draining = self, False
        self.partitions.append(partition)
        self.poll()

    def let_go(self, partition: Partition) -> None:
        """Not any more; nothing of it may be in flight."""
        assert not partition.flight
        self.partitions.remove(partition)
        partition.holder, partition.draining = None, False

    def poll(self) -> None:
        """Take what is visible and handle it, unless something is being handled."""
        if self._handling or not self.alive:
            return
        batch = self._taken()
        if not batch:
            self._wait()
            return
        self._handling = True
        count = _count(batch)
        self._load += count
        self._interpret(count * self._costs.event, lambda: self._handled(batch))

    def _taken(self) -> Batch:
        room = min(self._costs.poll, self._costs.window - self._load)
        now, late = self._place.clock.now, self._costs.reading
        batch: Batch = []
        there = len(self.partitions)
        for number in range(there):
            if room <= 0:
                break
            partition = self.partitions[(self._first + number) % there]
            if not partition.draining:
                lots = partition.take(now, late, room)
                room -= sum(len(lot.origins) for lot in lots)
                batch += [(partition, lot) for lot in lots]
        self._first += 1
        return batch

    def _wait(self) -> None:
        """Be called when the next event is visible, where there is room for it."""
        if self._load >= self._costs.window:
            return
        waited = min((each.next() for each in self.partitions if not each.draining), default=NEVER)
        moment = max(waited + self._costs.reading, self._place.clock.now)
        if moment < self._wake or self._wake <= self._place.clock.now:
            self._wake = moment
            if moment < NEVER:
                self._place.clock.at(moment, self.poll)

    def _handled(self, batch: Batch) -> None:
        self._handling = False
        self._finished += batch
        self._commit()
        self.poll()

    def _commit(self) -> None:
        if self._committing or not self._finished:
            return
        batch, self._finished = self._finished, []
        self._committing = True
        costs, clock = self._costs, self._place.clock
        lasting = _drawn(costs.again if clock.now - self._ended < PAUSE else costs.alone, self._rng)
        count = _count(batch)
        touched = len({partition.number for partition, _ in batch}) + spread(self._place.journal, count)
        brokers = costs.broker_commit + touched * costs.broker_partition + count * costs.broker_event
        unhindered = costs.broker_commit + 2 * costs.broker_partition + costs.broker_event
        rest = max(0.0, lasting - unhindered)
        done = self._alive(lambda: self._done(batch, count))
        waited = self._alive(lambda: clock.after(rest, done))
        self._interpret(costs.commit, lambda: self._place.brokers.work(brokers, waited))

    def _done(self, batch: Batch, count: int) -> None:
        for partition, lot in batch:
            first = partition.flight.popleft()
            assert first is lot
        self.commits += 1
        self.events += count
        self._load -= count
        self._committing, self._ended = False, self._place.clock.now
        self._committed(batch)
        self._commit()
        self.poll()

    def _interpret(self, seconds: float, done: Call) -> None:
        """One piece after another: there is one interpreter."""
        self._pieces.append((seconds, self._alive(done)))
        if not self._running:
            self._next()

    def _next(self) -> None:
        self._running = bool(self._pieces)
        if self._pieces:
            seconds, done = self._pieces.popleft()

            def over() -> None:
                self.busy += seconds
                done()
                self._next()

            self._place.cores.work(seconds, self._alive(over))

    def _alive(self, call: Call) -> Call:
        """Nothing, once it was killed."""

        def guarded() -> None:
            if self.alive:
                call()

        return guarded


def spread(partitions: int, count: float) -> float:
    """How many of the partitions `count` events meet that fall anywhere; on average."""
    return partitions * (1 - (1 - 1 / partitions) ** count) if partitions else 0.0


def _count(batch: Batch) -> int:
    return sum(len(lot.origins) for _, lot in batch)


def _drawn(quantiles: Sequence[float], rng: Random) -> float:
    """From a distribution that is known by evenly spaced quantiles."""
    place = rng.random() * (len(quantiles) - 1)
    low = int(place)
    return quantiles[low] + (place - low) * (quantiles[min(low + 1, len(quantiles) - 1)] - quantiles[low])
