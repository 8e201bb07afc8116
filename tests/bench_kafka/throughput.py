"""(a) One hop as fast as it goes: preloaded, timed by the broker's own dates, recounted; alternating rounds."""

import statistics
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from confluent_kafka import KafkaException

from farandole.engines.kafka.log import KafkaLog
from farandole.log.record import TopicSpec
from farandole.runtime.manifests import manifest_record
from tests.bench_kafka.broker import Broker, Recount
from tests.bench_kafka.inputs import UPSTREAM, measured
from tests.bench_kafka.peers import BY_NAME, OURS, Ends, Peer
from tests.bench_kafka.running import Running, worker

PATIENCE = 60.0
"""Seconds for a run."""
FAILURES = 2
"""After so many a peer is left out."""
_LOOK = 0.05  # seconds between two looks how far it is
_STILL = 0.5


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one peer. `rate`: events a second; `cpu`: seconds of CPU of the worker for 1,000 events."""

    rate: float
    cpu: float
    recount: Recount
    interval: float
    events: int


@dataclass(slots=True)
class Throughput:
    """By peer, its runs, one a round, None where it failed; and why."""

    runs: dict[str, list[Run | None]] = field(default_factory=dict)
    failures: dict[str, list[str]] = field(default_factory=dict)

    def rates(self, name: str) -> list[float]:
        """Of the runs that came through."""
        return [run.rate for run in self.runs.get(name, []) if run is not None]

    def ratios(self, ours: str, other: str) -> list[float]:
        """Round by round."""
        pairs = zip(self.runs.get(ours, []), self.runs.get(other, []), strict=True)
        return [one.rate / two.rate for one, two in pairs if one is not None and two is not None]

    def interval(self) -> float:
        """Seconds between two commits of Farandole, as measured so far; 0 where nothing is known yet."""
        found = [run.interval for run in self.runs.get(OURS, []) if run is not None]
        return statistics.median(found) if found else 0.0


class Stage:
    """The preloaded topics that peers share, by their size."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._there: dict[tuple[int, bool], str] = {}

    def source(self, count: int, *, headers: bool) -> str:
        """A topic with so many events."""
        name = self._there.get((count, headers))
        if name is None:
            name = self._there[count, headers] = f"in-{count}-{'told' if headers else 'bare'}"
            self._broker.make(name)
            self._broker.preload(name, measured(count, headers=headers))
        return name


async def run(broker: Broker, peers: Sequence[Peer], *, rounds: int, share: float) -> Throughput:
    """`share`: of each peer's events, for trying."""
    found, stage = Throughput(), Stage(broker)
    ours_first = sorted(peers, key=lambda peer: peer.name != OURS)  # its interval is told to another
    await _once(broker, stage, BY_NAME["raw transactional"], share, 0.0)  # warms the broker, and is not counted
    for number in range(rounds):
        for peer in ours_first if number % 2 == 0 else reversed(ours_first):
            found.runs.setdefault(peer.name, []).append(None)
            if len(found.failures.get(peer.name, [])) == FAILURES:
                continue
            try:
                one = await _once(broker, stage, peer, share, found.interval())
            except (RuntimeError, TimeoutError, KafkaException) as error:
                found.failures.setdefault(peer.name, []).append(str(error))
                sys.stderr.write(f"throughput {number + 1}/{rounds} {peer.name}: FAILED: {error}\n")
                continue
            found.runs[peer.name][-1] = one
            _say(f"throughput {number + 1}/{rounds}", peer, one)
    return found


async def _once(broker: Broker, stage: Stage, peer: Peer, share: float, interval: float) -> Run:
    count = max(1_000, int(peer.events * share))
    tag = uuid.uuid4().hex[:8]
    if peer.name == OURS:
        ends = await own_ground(broker.bootstrap, f"run-{tag}")
        broker.preload(ends.source, measured(count, headers=True))
    else:
        ends = Ends(broker.bootstrap, stage.source(count, headers=peer.headers), f"out-{tag}", f"journal-{tag}", "")
        broker.make(ends.sink, ends.journal)
    with worker(peer, ends, group=f"group-{tag}", interval=interval) as running:
        cpu = _watched(broker, running, ends.sink, count)
    recount = broker.recount(ends.sink, count)
    broker.remove(ends.sink, ends.journal, *([ends.source] if peer.name == OURS else []))
    if recount.lost or (peer.once and recount.twice):
        raise RuntimeError(f"{recount.lost} outputs are missing, {recount.twice} are there twice")
    commits = max(1, recount.commits)
    return Run((count - recount.first) / recount.seconds, cpu, recount, recount.seconds / commits, count)


def _watched(broker: Broker, running: Running, sink: str, count: int) -> float:
    """Wait until all is there; seconds of CPU for 1,000 events, the start not counted.

    Offsets count the marks of transactions too, so it is over only when nothing has come for `_STILL` seconds.
    """
    begun = latest = (0, 0.0)
    until = time.monotonic() + PATIENCE
    still = 0.0
    while latest[0] < count or time.monotonic() < still:
        running.check()
        if time.monotonic() > until:
            raise TimeoutError(f"{latest[0]} of {count} after {PATIENCE:.0f} s; it said:\n{running.said()}")
        there = broker.end(sink)
        if there > latest[0]:
            latest = there, running.cpu()
            still = time.monotonic() + _STILL
            begun = begun if begun[0] else latest
        time.sleep(_LOOK)
    if begun == latest:
        raise RuntimeError("it was over before it was looked at; give it more events")
    return 1000 * (latest[1] - begun[1]) / (latest[0] - begun[0])


async def own_ground(bootstrap: str, namespace: str) -> Ends:
    """Farandole's topics, as it wants them, in a namespace of the run."""
    log = await KafkaLog.open(f"kafka://{bootstrap}/{namespace}")
    try:
        await log.ensure([TopicSpec("measured", 1), TopicSpec("moved", 1), TopicSpec("farandole.journal", 1)])
        await log.ensure([TopicSpec("farandole.manifests", 1, compacted=True)])
        await log.append([manifest_record(UPSTREAM)])
    finally:
        await log.close()
    source, sink, journal = (f"{namespace}.{name}" for name in ("measured", "moved", "farandole.journal"))
    return Ends(bootstrap, source, sink, journal, namespace)


def _say(what: str, peer: Peer, one: Run) -> None:
    sys.stderr.write(f"{what} {peer.name}: {one.rate:,.0f}/s, {one.cpu:.4f} CPU-s/1k, {one.recount}\n")
    sys.stderr.flush()
