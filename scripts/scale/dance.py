"""A simulated dance: hops of processes over partitions, brokers, arrivals, and what fails on the way.

Same seed, same figures. A hop's topic has as many partitions as the one before it, and an event keeps its key.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random

from scripts.scale.engine import Clock, Cores
from scripts.scale.process import Batch, Costs, Place, Process
from scripts.scale.streams import Arrivals, Lot, Partition

LOOK = 0.05
"""Seconds between two looks at how old the oldest event is."""
HANDOVER = 1.5
"""Seconds from the end of a lease to the next holder's first poll: docs/kafka.md says one to two."""


@dataclass(frozen=True, slots=True)
class Setting:
    """`shares`: of the events, by partition. `broker_cores`: of all brokers together; 0: they and all processes share
    `cores`, which otherwise each process has for itself. `warm`: seconds whose delays are not counted. `tick`: of the
    publisher.
    """

    rate: float
    costs: Costs
    shares: Sequence[float] = (1.0,)
    hops: int = 1
    processes: int = 1
    broker_cores: int = 1
    cores: int = 1
    seconds: float = 10.0
    warm: float = 1.0
    tick: float = 0.0
    lease: float = 6.0
    seed: int = 1


@dataclass(slots=True)
class Hop:
    """One step's part. `leased`: until when the group takes whoever died for alive."""

    partitions: list[Partition]
    processes: list[Process] = field(default_factory=list)
    retired: list[Process] = field(default_factory=list)
    delays: list[tuple[float, int]] = field(default_factory=list)
    ages: list[tuple[float, float]] = field(default_factory=list)
    leased: float = 0.0


class Dance:
    """Runs when told to. `delays`: seconds from the publishing to the end of the last hop, each with a count.
    `delivered`: events that came through; `counted`: those after it was warm.
    """

    def __init__(self, setting: Setting) -> None:
        self.setting, self.clock = setting, Clock()
        self.delays: list[tuple[float, int]] = []
        self.delivered = self.counted = 0
        shared = Cores(self.clock, setting.cores)
        self.brokers = Cores(self.clock, setting.broker_cores) if setting.broker_cores else shared
        self._shared = None if setting.broker_cores else shared
        self._made = 0
        self.hops = [
            Hop([Partition(n, self._arrivals(n, hop)) for n in range(len(setting.shares))]) for hop in self._numbers
        ]
        for number in self._numbers:
            for _ in range(setting.processes):
                self._start(number)
            self._assign(number)
            self._look(number)

    @property
    def _numbers(self) -> range:
        return range(self.setting.hops)

    @property
    def published(self) -> int:
        """Events so far."""
        return sum(p.arrivals.count for p in self.hops[0].partitions if p.arrivals is not None)

    @property
    def under_way(self) -> int:
        """Events that are in some hop."""
        return sum(partition.held() for hop in self.hops for partition in hop.partitions)

    def run(self, until: float | None = None) -> "Dance":
        """Go on to that moment; by default to the end of the setting."""
        self.clock.run(self.setting.seconds if until is None else until)
        return self

    # -- what fails -----------------------------------------------------------------------------------------

    def kill(self, hop: int, number: int, at: float, *, restart: float = 0.0) -> None:
        """A process dies; `restart`: seconds until another one takes its place, 0: none does."""
        self.clock.at(at, lambda: self._die(hop, number))
        if restart:
            self.clock.at(at + restart, lambda: self._join(hop))

    def join(self, hop: int, at: float) -> None:
        """One more process of a step."""
        self.clock.at(at, lambda: self._join(hop))

    def _die(self, hop: int, number: int) -> None:
        there = self.hops[hop]
        process = there.processes.pop(number)
        process.kill()
        there.retired.append(process)
        there.leased = self.clock.now + self.setting.lease
        self.clock.at(there.leased + HANDOVER, lambda: self._assign(hop))

    def _join(self, hop: int) -> None:
        self._start(hop)
        free = max(self.clock.now, self.hops[hop].leased)
        self.clock.at(free + HANDOVER, lambda: self._assign(hop))

    def _start(self, hop: int) -> None:
        place = Place(self.clock, self._shared or Cores(self.clock, 1, slice=float("inf")), self.brokers, self._journal)
        rng = Random(f"{self.setting.seed}/process/{self._made}")
        self._made += 1
        self.hops[hop].processes.append(Process(place, self.setting.costs, rng, partial(self._committed, hop)))

    @property
    def _journal(self) -> int:
        return len(self.setting.shares)

    def _assign(self, number: int) -> None:
        """Share the partitions evenly among those alive, and move no more than that takes."""
        hop = self.hops[number]
        if not hop.processes:
            return
        room = dict(zip(map(id, hop.processes), _even(len(hop.partitions), len(hop.processes)), strict=True))
        moving = []
        for partition in hop.partitions:
            holder = partition.holder
            if holder is not None and room.get(id(holder), 0) > 0:
                room[id(holder)] -= 1
            else:
                moving.append(partition)
        takers = (process for process in hop.processes for _ in range(room[id(process)]))
        for partition, taker in zip(moving, takers, strict=True):
            self._move(partition, taker)

    def _move(self, partition: Partition, taker: Process) -> None:
        """Once its holder has committed what it took."""
        holder = partition.holder
        if holder is not None and partition.flight:
            partition.draining = True
            self.clock.after(LOOK / 10, lambda: self._move(partition, taker))
            return
        if holder is not None:
            holder.let_go(partition)
        if taker.alive:
            taker.hold(partition)

    # -- what goes on ---------------------------------------------------------------------------------------

    def _arrivals(self, number: int, hop: int) -> Arrivals | None:
        if hop:
            return None
        setting = self.setting
        rng = Random(f"{setting.seed}/arrivals/{number}")
        return Arrivals(rng, setting.rate * setting.shares[number], setting.seconds, tick=setting.tick)

    def _committed(self, number: int, batch: Batch) -> None:
        now, setting = self.clock.now, self.setting
        hop = self.hops[number]
        following = self.hops[number + 1] if number + 1 < setting.hops else None
        going: dict[int, list[float]] = {}
        for partition, lot in batch:
            if lot.seen >= setting.warm:
                hop.delays.append((now - lot.seen, len(lot.origins)))
            going.setdefault(partition.number, []).extend(lot.origins)
        if following is None:
            self._through(now, going.values())
        else:
            self._pass_on(following, going)
        if self._shared is not None and number == 0 and setting.costs.watching:
            count = sum(map(len, going.values()))
            self._shared.work(count * setting.costs.watching, _nothing)

    def _through(self, now: float, lots: Iterable[list[float]]) -> None:
        warm = self.setting.warm
        for origins in lots:
            self.delivered += len(origins)
            self.counted += len(origins) if now >= warm else 0
            self.delays += [(now - origin, 1) for origin in origins if origin >= warm]

    def _pass_on(self, following: Hop, lots: Mapping[int, list[float]]) -> None:
        holders: dict[int, Process] = {}
        for number, origins in lots.items():
            there = following.partitions[number]
            there.queue.append(Lot(self.clock.now, origins))
            if there.holder is not None:
                holders[id(there.holder)] = there.holder
        for holder in holders.values():
            self.clock.after(self.setting.costs.reading, holder.poll)

    def _look(self, number: int) -> None:
        hop, now = self.hops[number], self.clock.now
        hop.ages.append((now, max(0.0, now - min(partition.oldest() for partition in hop.partitions))))
        self.clock.after(LOOK, lambda: self._look(number))


def _even(many: int, among: int) -> Iterator[int]:
    for number in range(among):
        yield many // among + (number < many % among)


def _nothing() -> None:
    """Nobody waits for it."""
