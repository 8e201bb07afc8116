"""What is simulated: the points that were measured, on the machine where they were; and what lies beyond it."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from scripts.scale.coefficients import Coefficients, Point
from scripts.scale.dance import Dance, Setting
from scripts.scale.figures import Figures, figures, percentile, recovery
from scripts.scale.need import Ground, Model, Workload
from scripts.scale.process import Costs
from scripts.scale.streams import shares

SIZE = 300.0
KEYS = 10_000
ERRORS = {"as fast as it goes": 0.25, "commits": 0.5, "p50": 0.5}
"""By kind of point, how far the simulation may be off where nothing else runs; p99 and lag are only shown."""
_FED_SECONDS = 20.0
_FULL_SECONDS = 4.0
_OVER = 2.0  # times what a process bears: it is never idle
_WIDE_SECONDS = 2.5
_DRAIN = 30.0
LOADS = (0.5, 0.7, 0.9)
"""Shares of what all processes bear together, at which something fails."""
WORK = 0.002
"""Seconds of a core that the step takes for an event where something fails."""
_FAILS = 5.0  # seconds from the beginning
_SOAK_TICK = 0.02  # seconds between two moments at which `make soak-kafka` sends


class Agreement(NamedTuple):
    """A figure that was measured, and the same one simulated; `source`: where it was measured."""

    what: str
    unit: str
    measured: float
    simulated: float
    source: str

    @property
    def off(self) -> float:
        """How far the simulated one is off, as a share of the measured one."""
        return self.simulated / self.measured - 1


def astray(found: Iterable[Agreement]) -> list[Agreement]:
    """Those of a kind in `ERRORS` that are further off."""
    return [each for each in found if any(kind in each.what and abs(each.off) > most for kind, most in ERRORS.items())]


class Wide(NamedTuple):
    """A dance of many processes, each step having so many."""

    processes: int
    skew: float
    figures: Figures


class Failure(NamedTuple):
    """What failed at which load, how old an event became by it, and after how many seconds all was as before."""

    what: str
    load: float
    age: float
    seconds: float


def costs(found: Coefficients, *, size: float = SIZE, replication: int = 1, work: float = 0.0) -> Costs:
    """As the simulation takes them; `work`: seconds of a core that the step itself takes."""
    one, inner, latency = found.broker, found.service, found.latency
    further = replication - 1

    def broker(name: str) -> float:
        return float(getattr(one, name) + further * getattr(found.replica, name))

    return Costs(
        event=inner.of(events=1, size=size) + work,
        commit=inner.commit,
        broker_commit=broker("commit"),
        broker_partition=broker("partition"),
        broker_event=broker("event") + size * broker("byte"),
        alone=latency.alone,
        again=latency.again,
        reading=latency.outside,
        watching=latency.watching,
    )


# -- what was measured ----------------------------------------------------------------------------------------


def agreements(found: Coefficients) -> Iterator[Agreement]:
    """Every measured point beside its simulation, service, brokers and clients on the cores of that machine."""
    for full in found.full:
        rate = _as_fast(found, full.size)
        yield Agreement(f"1 hop as fast as it goes, {full.size:,.0f} B", "events/s", full.rate, rate, "bench-scale")
    for point in found.points:
        yield from _fed(found, point)
    yield from _soaked(found)


def _setting(found: Coefficients, rate: float, seconds: float, *, size: float = SIZE, tick: float = 0.0) -> Setting:
    cores = int(found.about["cores"])
    return Setting(rate, costs(found, size=size), cores=cores, broker_cores=0, seconds=seconds, tick=tick)


def _as_fast(found: Coefficients, size: float) -> float:
    offered = _OVER * Model(found).bears(Workload(1.0, hops=1, size=size))
    return figures(Dance(_setting(found, offered, _FULL_SECONDS, size=size)).run()).rate


def _fed(found: Coefficients, point: Point) -> Iterator[Agreement]:
    seconds = min(_FED_SECONDS, max(2.0, 20_000 / point.rate))
    got = figures(Dance(_setting(found, point.rate, seconds)).run())
    what = f"1 hop at {point.rate:,.0f}/s"
    yield Agreement(f"{what}, p50", "ms", 1000 * point.p50, 1000 * got.hop_p50, "bench-scale")
    yield Agreement(f"{what}, p99", "ms", 1000 * point.p99, 1000 * got.hop_p99, "bench-scale")
    yield Agreement(f"{what}, commits", "/s", point.commits, got.commits, "bench-scale")


def _soaked(found: Coefficients) -> Iterator[Agreement]:
    """The soak at half of what it bears, whose publisher sends every 20 ms."""
    for proof in SOAKS:
        dance = Dance(_setting(found, proof.rate, 10.0, size=264.0, tick=_SOAK_TICK)).run()
        ages = [(age, 1) for at, age in dance.hops[0].ages if at >= dance.setting.warm]
        yield Agreement(
            f"1 hop at {proof.rate:,.0f}/s for 30 min, lag, p95",
            "ms",
            1000 * proof.lag,
            1000 * percentile(ages, 0.95),
            proof.source,
        )


class Soak(NamedTuple):
    """A soak that was run: events a second, and the p95 of its lag in seconds, the median of the five fifths."""

    rate: float
    lag: float
    source: str


SOAKS = (Soak(8_804.0, 0.0269, "docs/proofs/soak-kafka.md"),)


# -- beyond ---------------------------------------------------------------------------------------------------


def loads(found: Coefficients) -> list[tuple[float, Figures]]:
    """One hop whose process and broker have cores of their own, from a tenth of what it bears to nearly all."""
    most = Model(found).bears(Workload(1.0, hops=1, size=SIZE))
    got = []
    for share in (0.01, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95):
        setting = Setting(
            share * most, costs(found), broker_cores=8, seconds=min(30.0, max(4.0, 3_000 / (share * most)))
        )
        got.append((share, figures(Dance(setting).run())))
    return got


def wide(found: Coefficients, rate: float, processes: int, *, hops: int = 5, skew: float = 0.0) -> Wide:
    """So many processes of each of `hops` steps, with replication 3 and the brokers that the model asks for."""
    ground = Ground()
    model = Model(found, ground)
    workload = Workload(rate, hops=hops, size=SIZE)
    brokers = max(ground.replication, model.layout(workload).brokers)
    setting = Setting(
        rate,
        costs(found, replication=ground.replication),
        shares=shares(2 * processes, keys=KEYS, skew=skew),
        hops=hops,
        processes=processes,
        broker_cores=math.floor(brokers * ground.cores),
        seconds=_WIDE_SECONDS,
    )
    dance = Dance(setting).run()
    got = figures(dance)
    through = dance.run(setting.seconds + _DRAIN).delays  # those under way count, too
    p50, p99 = (percentile(through, share) for share in (0.5, 0.99))
    return Wide(processes, skew, replace(got, whole_p50=p50, whole_p99=p99))


def failures(found: Coefficients, *, processes: int = 4) -> list[Failure]:
    """One of some processes dies, with and without another that takes its place; one more joins."""
    got = []
    for load in LOADS:
        for what, restart in (("killed, started again after 3 s", 3.0), ("killed, not started again", 0.0)):
            dance = _loaded(found, load, processes)
            dance.kill(0, 0, _FAILS, restart=restart)
            got.append(Failure(f"1 of {processes} {what}", load, *recovery(dance.run(), 0, _FAILS)))
        dance = _loaded(found, load, processes)
        dance.join(0, _FAILS)
        got.append(Failure(f"1 more beside {processes}", load, *recovery(dance.run(), 0, _FAILS)))
    return got


def _loaded(found: Coefficients, load: float, processes: int) -> Dance:
    most = Model(found).bears(Workload(1.0, hops=1, size=SIZE, work=WORK))
    partitions = 4 * processes
    return Dance(
        Setting(
            load * most * processes,
            costs(found, work=WORK),
            shares=(1 / partitions,) * partitions,
            processes=processes,
            broker_cores=24,
            seconds=60.0,
        )
    )
