"""From coefficients to what a dance needs, and what of it gives way first. Pure arithmetic.

The formulas, with their reasons, stand in docs/scale.md. Rates are a second, sizes bytes, processor time cores.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from scripts.scale.coefficients import Coefficients

DAY = 86_400
POLL = 500
"""Records of one poll, hence about the most that one commit takes."""
ENVELOPE = 300
"""Bytes of an event when nothing is said."""
_ROUNDS = 50  # of a bisection
_STEPS = 12  # of Newton's way: each doubles the digits
_LARGE = 700.0  # of which e^-x is not yet nothing


@dataclass(frozen=True, slots=True)
class Workload:
    """What is to be borne: `rate` events a second come from outside, each passes `hops` steps, one after the other.

    `size`: of an event's JSON. `work`: seconds of a core that the step itself takes for one. `gathered`: how many
    members of groups each event gives rise to, beside the hops. `hottest`: share of the events that one key has.
    """

    rate: float
    hops: int = 5
    size: float = ENVELOPE
    work: float = 0.0
    gathered: float = 0.0
    hottest: float = 0.0

    def __post_init__(self) -> None:
        """Raises ValueError where no dance is like that."""
        if self.rate <= 0 or self.hops < 1 or self.size < 0 or self.work < 0 or self.gathered < 0:
            raise ValueError(f"no such workload: {self}")
        if not 0 <= self.hottest <= 1:
            raise ValueError(f"the hottest key's share is between 0 and 1, not {self.hottest}")


@dataclass(frozen=True, slots=True)
class Ground:
    """What it stands on, a broker: cores as fast as the measured ones, network each way, disk; and how it is used.

    `full`: the share of anything that is planned with. `partitions`: that one broker bears (KIP-578). `days`: kept.
    """

    cores: float = 8.0
    network: float = 1.25e9
    disk: float = 250e6
    partitions: int = 4_000
    replication: int = 3
    full: float = 0.6
    days: float = 7.0
    database: str = "PostgreSQL"

    def __post_init__(self) -> None:
        """Raises ValueError where nothing can stand on it."""
        if min(self.cores, self.network, self.disk, self.partitions, self.days) <= 0 or self.replication < 1:
            raise ValueError(f"no such ground: {self}")
        if not 0 < self.full <= 1:
            raise ValueError(f"what is planned with is between 0 and 1, not {self.full}")


@dataclass(frozen=True, slots=True)
class Layout:
    """What is put up: processes of each step, partitions of each topic, and of the journal, brokers, projectors."""

    processes: int
    partitions: int
    journal: int
    brokers: int
    projectors: int


SMALLEST = Layout(processes=1, partitions=4, journal=4, brokers=3, projectors=1)
"""What one begins with."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a workload makes of a layout; of brokers and processes all together, unless it says otherwise."""

    batch: float
    commits: float
    service: float
    broker: float
    inward: float
    outward: float
    written: float
    kept: float
    facts: float
    tables: float
    copies: int
    connections: float
    memory: float


class Model:
    """Answers for one set of coefficients on one ground."""

    def __init__(self, found: Coefficients, ground: Ground | None = None) -> None:
        self.found, self.ground = found, ground or Ground()

    def cycle(self, rate: float) -> tuple[float, float]:
        """Deliveries of a commit, and commits a second, of one process that handles `rate`.

        A commit takes what came while the one before it ran; where nothing came, it waits for the next event.
        """
        if rate <= 0:
            return 0.0, 0.0
        latency = self.found.latency
        first, each = latency.first, latency.each
        batch = 1.0
        for _ in range(_STEPS):  # what a commit takes adds to how long it lasts: Newton's way to where both agree
            came = rate * (first + (batch - 1) * each)
            nothing = math.exp(-min(_LARGE, came))
            slope = rate * each * (1 - nothing) - 1
            batch = min(float(POLL), batch - (came + nothing - batch) / slope) if slope < 0 else float(POLL)
        return batch, rate / batch

    def busy(self, rate: float, workload: Workload) -> float:
        """The cores that a process takes which handles `rate`; it has one interpreter, so above 1 it falls behind."""
        work = self.found.service
        grouped = workload.gathered / workload.hops * self.found.member.service
        own = work.of(commits=self.cycle(rate)[1], events=rate, size=workload.size)
        return work.second + own + rate * (workload.work + grouped)

    def bears(self, workload: Workload) -> float:
        """Deliveries a second that fill one process."""
        return _most(lambda rate: self.busy(rate, workload))

    def layout(self, workload: Workload) -> Layout:
        """The least that keeps everything below what is planned with."""
        ground = self.ground
        each = _most(lambda rate: self.busy(rate, workload) / ground.full)
        processes = max(1, math.ceil(workload.rate / each))
        facts = workload.rate * (workload.hops + workload.gathered)
        projectors = max(1, math.ceil(facts / (ground.full * self.found.tables[ground.database].rate)))
        partitions = _even(max(SMALLEST.partitions, 2 * processes), processes)
        layout = Layout(processes, partitions, max(SMALLEST.journal, projectors), ground.replication, projectors)
        while (brokers := self._brokers(workload, layout)) > layout.brokers:  # each more has to stand by, too
            layout = replace(layout, brokers=brokers)
        return layout

    def _brokers(self, workload: Workload, layout: Layout) -> int:
        load, ground = self.load(workload, layout), self.ground
        asked = (
            load.broker / ground.cores,
            load.inward / ground.network,
            load.outward / ground.network,
            load.written / ground.disk,
        )
        by_copies = math.ceil(load.copies / ground.partitions)
        return max(ground.replication, by_copies, *(math.ceil(share / ground.full) for share in asked))

    def load(self, workload: Workload, layout: Layout) -> Load:
        """What the workload makes of the layout, whether it bears it or not."""
        found, ground, hops = self.found, self.ground, workload.hops
        each = workload.rate / layout.processes
        batch, commits = self.cycle(each)
        steps = layout.processes * hops
        facts = workload.rate * (hops + workload.gathered)
        written = self._written(workload, steps * commits)
        beyond = ground.replication - 1
        read = written / ground.replication + facts * found.disk.fact  # each event by one step, each fact by projectors
        return Load(
            batch=batch,
            commits=steps * commits,
            service=steps * self.busy(each, workload),
            broker=self._broker(workload, layout, commits),
            inward=written,
            outward=read + written / ground.replication * beyond,
            written=written,
            kept=written * DAY * ground.days,
            facts=facts,
            tables=facts * found.tables[ground.database].fact * DAY,
            copies=self._partitions(workload, layout) * ground.replication,
            connections=steps * found.process.connections * layout.brokers,
            memory=steps * (found.process.memory + layout.partitions / layout.processes * found.process.partition),
        )

    def shares(self, workload: Workload, layout: Layout) -> Mapping[str, float]:
        """What of each resource is used, 1 being all: of the busiest process, of a broker, of a projector."""
        found, ground = self.found, self.ground
        load = self.load(workload, layout)
        most = math.ceil(layout.partitions / layout.processes) / layout.partitions  # of the events, in one process
        most = workload.hottest + (1 - workload.hottest) * most
        return {
            "interpreter": self.busy(workload.rate * most, workload),
            "brokers' processors": load.broker / (layout.brokers * ground.cores),
            "brokers' network": max(load.inward, load.outward) / (layout.brokers * ground.network),
            "brokers' disks": load.written / (layout.brokers * ground.disk),
            "projectors": load.facts / (layout.projectors * found.tables[ground.database].rate),
        }

    def limits(self, workload: Workload, layout: Layout) -> list[tuple[float, str]]:
        """At which rate each resource of the layout is full, the first to give way first."""

        def share(name: str) -> Callable[[float], float]:
            return lambda rate: self.shares(replace(workload, rate=rate), layout)[name]

        return sorted((_most(share(name)), name) for name in self.shares(workload, layout))

    def _broker(self, workload: Workload, layout: Layout, commits: float) -> float:
        """Cores of all brokers: those of the first copy, and of each further one."""
        found, hops = self.found, workload.hops
        steps, each = layout.processes * hops, workload.rate / layout.processes
        touched = self._touched(each / commits if commits else 0.0, layout)
        total = 0.0
        for work, copies in ((found.broker, 1), (found.replica, self.ground.replication - 1)):
            of_hops = work.of(
                commits=steps * commits,
                partitions=steps * commits * touched,
                events=workload.rate * hops,
                size=workload.size,
            )
            total += copies * (layout.brokers * work.second + of_hops)
        return total + workload.rate * workload.gathered * found.member.broker

    @staticmethod
    def _touched(batch: float, layout: Layout) -> float:
        """Partitions that a commit writes to: of the output as many as the process holds, of the journal any."""

        def spread(partitions: float) -> float:
            return partitions * (1 - (1 - 1 / partitions) ** batch) if partitions >= 1 else batch

        return spread(layout.partitions / layout.processes) + spread(layout.journal)

    def _written(self, workload: Workload, commits: float) -> float:
        """Bytes a second, all copies: what comes from outside, what each hop adds, and the facts of both."""
        disk, hops = self.found.disk, workload.hops
        events = workload.rate * (hops + 1) * (disk.event + workload.size)
        facts = workload.rate * hops * disk.fact
        members = workload.rate * workload.gathered * self.found.member.disk
        return self.ground.replication * (events + facts + members + commits * disk.commit)

    @staticmethod
    def _partitions(workload: Workload, layout: Layout) -> int:
        """Of events, of each step's state, inbox and dead letters, of the journal."""
        return (workload.hops + 1 + 3 * workload.hops) * layout.partitions + layout.journal


def _even(partitions: int, processes: int) -> int:
    """The next number that the processes share evenly."""
    return math.ceil(partitions / processes) * processes


def _most(share: Callable[[float], float]) -> float:
    """The largest rate at which a share that grows with it is at most 1."""
    if share(1e-9) > 1:
        return 0.0
    low, high = 0.0, 1.0
    while share(high) <= 1 and high < 1e15:
        low, high = high, 2 * high
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        low, high = (middle, high) if share(middle) <= 1 else (low, middle)
    return low
