"""From what was measured to coefficients: least squares over medians, no cost below nothing; measures nothing."""

import statistics
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from scipy.optimize import nnls

from scripts.scale.coefficients import (
    Coefficients,
    Disk,
    Flood,
    Full,
    Latency,
    Member,
    Point,
    Process,
    Tables,
    Work,
)
from tests.bench.bars import percentile
from tests.bench_scale.floods import Flooded
from tests.bench_scale.groups import Grouped
from tests.bench_scale.hops import SIZE, Emptied, Fed
from tests.bench_scale.standing import Stands
from tests.bench_scale.tables import Folded

QUANTILES = 41
"""Evenly spaced ones that are kept of a distribution."""
_CROWDED = 2.0  # deliveries of a commit above which there is always something to commit
_OUTPUTS = 2  # partitions that a hop's commit writes to: the output's and the journal's

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
Row = Mapping[str, float]


@dataclass(slots=True)
class Kafka:
    """What was found on a cluster of so many nodes. `idle`: cores of all of them, when nobody asks for anything."""

    nodes: int
    idle: float = 0.0
    emptied: list[Emptied] = field(default_factory=list)
    fed: list[Fed] = field(default_factory=list)
    flooded: list[Flooded] = field(default_factory=list)


@dataclass(slots=True)
class Measured:
    """All runs. `paced`: commits of one producer that is not in a hurry."""

    one: Kafka
    three: Kafka
    paced: list[Flooded] = field(default_factory=list)
    grouped: list[Grouped] = field(default_factory=list)
    stands: list[Stands] = field(default_factory=list)
    folded: list[Folded] = field(default_factory=list)


class Fit(NamedTuple):
    """Costs by name, none of them negative; `residual`: the largest, as a share of what was measured."""

    costs: dict[str, float]
    residual: float


def fit(rows: Sequence[Row], measured: Sequence[float]) -> Fit:
    """The costs that explain what was measured best: each row counts alike, whatever its size."""
    names = sorted({name for row in rows for name in row})
    matrix = [[row.get(name, 0.0) / value for name in names] for row, value in zip(rows, measured, strict=True)]
    found, _ = nnls(matrix, [1.0] * len(rows))
    costs = dict(zip(names, (float(value) for value in found), strict=True))
    explained = (sum(share * costs[name] for share, name in zip(row, names, strict=True)) for row in matrix)
    return Fit(costs, max(abs(1 - value) for value in explained))


def coefficients(found: Measured, about: Mapping[str, object]) -> Coefficients:
    """All of them."""
    one, three = found.one, found.three
    resting = _median([each.cores for each in found.stands if each.partitions == 1])
    service = _service(one, resting)
    brokers, of_three = _brokers(one), _brokers(three)
    broker = Work(second=one.idle, **brokers.costs)
    beyond = {name: max(0.0, value - brokers.costs.get(name, 0.0)) / 2 for name, value in of_three.costs.items()}
    disk = _disk(one)
    return Coefficients(
        about=dict(about),
        service=Work(second=resting, **service.costs),
        broker=broker,
        replica=Work(**beyond),
        disk=disk,
        member=_member(found.grouped),
        tables=_tables(found.folded),
        process=_process(found.stands),
        latency=_latency(found, Work(**service.costs)),
        points=_points(one),
        full=_full(one),
        floods=_floods(one),
        residuals={
            "service": service.residual,
            "broker": brokers.residual,
            "brokers of three": of_three.residual,
        },
    )


def _service(found: Kafka, resting: float) -> Fit:
    rows, measured = [], []
    for run in (*_medians(_each_emptied(found)), *_medians(_each_fed(found))):
        rows.append({"commit": run["commits"], "event": 1.0, "byte": run["size"]})
        measured.append(run["worker"] - resting * run["seconds"])
    return fit(rows, measured)


def _brokers(found: Kafka) -> Fit:
    rows, measured = [], []
    for run in (*_medians(_each_emptied(found)), *_medians(_each_fed(found))):
        commits = run["commits"]
        rows.append({"commit": commits, "partition": _OUTPUTS * commits, "event": 1.0, "byte": run["size"]})
        measured.append(run["broker"] - (found.idle * run["seconds"] if run["standing"] else 0.0))
    for flood in _floods(found):
        rows.append({"commit": 1.0, "partition": flood.partitions})
        measured.append((flood.broker - found.idle) / flood.rate)
    return fit(rows, measured)


def _each_emptied(found: Kafka) -> dict[float, list[Row]]:
    return {
        size: [
            {
                "size": size,
                "commits": run.commits / run.events,
                "seconds": run.spent.seconds / run.events,
                "worker": run.spent.worker / run.events,
                "broker": run.spent.broker / run.events,
                "standing": 1.0,
            }
            for run in runs
        ]
        for size, runs in _sizes(found).items()
    }


def _each_fed(found: Kafka) -> dict[float, list[Row]]:
    """The brokers' standing by is taken off already, with what feeding costs them."""
    return {
        rate: [
            {
                "size": SIZE,
                "commits": run.commits / run.events,
                "seconds": run.spent.seconds / run.events,
                "worker": run.spent.worker / run.events,
                "broker": run.spent.broker / run.events,
                "standing": 0.0,
            }
            for run in runs
        ]
        for rate, runs in _by(found.fed, lambda run: run.rate).items()
    }


def _medians(cases: Mapping[float, Sequence[Row]]) -> list[Row]:
    return [{name: statistics.median(run[name] for run in runs) for name in runs[0]} for runs in cases.values()]


def _sizes(found: Kafka) -> dict[int, list[Emptied]]:
    return _by(found.emptied, lambda run: run.size)


def _rate(runs: Sequence[Emptied]) -> float:
    return _median([run.events / run.spent.seconds for run in runs])


def _full(found: Kafka) -> tuple[Full, ...]:
    return tuple(
        Full(
            size=size,
            rate=_rate(runs),
            cycle=_median([run.spent.seconds / max(1, run.commits) for run in runs]),
            service=_median([run.spent.worker / run.spent.seconds for run in runs]),
            broker=_median([run.spent.broker / run.spent.seconds for run in runs]),
        )
        for size, runs in _sizes(found).items()
    )


def _points(found: Kafka) -> tuple[Point, ...]:
    return tuple(
        Point(
            rate=rate,
            commits=_median([run.commits / run.spent.seconds for run in runs]),
            p50=_median([percentile(run.delays, 0.5) for run in runs]),
            p99=_median([percentile(run.delays, 0.99) for run in runs]),
            service=_median([run.spent.worker / run.spent.seconds for run in runs]),
            broker=max(0.0, _median([run.spent.broker / run.spent.seconds for run in runs])),
        )
        for rate, runs in _by(found.fed, lambda run: run.rate).items()
    )


def _floods(found: Kafka) -> tuple[Flood, ...]:
    return tuple(
        Flood(
            producers=producers,
            partitions=partitions,
            rate=_median([len(run.times) / run.spent.seconds for run in runs]),
            broker=_median([run.spent.broker / run.spent.seconds for run in runs]),
            p50=_median([percentile(run.times, 0.5) for run in runs]),
        )
        for (producers, partitions), runs in _by(found.flooded, lambda run: (run.producers, run.partitions)).items()
    )


def _disk(found: Kafka) -> Disk:
    event = _median([run.output - run.size for run in found.emptied])
    fact = _median([run.journal for run in found.emptied])
    slow = [run for run in found.fed if run.commits > 0.5 * run.events]  # an event a commit, about
    own = [(run.spent.disk - run.events * (event + SIZE + fact)) / run.commits for run in slow]
    return Disk(event=max(0.0, event), fact=fact, commit=max(0.0, _median(own)) if own else 0.0)


def _member(runs: Sequence[Grouped]) -> Member:
    return Member(
        service=_median([run.spent.worker / run.members for run in runs]),
        broker=_median([run.spent.broker / run.members for run in runs]),
        disk=_median([run.spent.disk / run.members for run in runs]),
    )


def _tables(runs: Sequence[Folded]) -> dict[str, Tables]:
    return {
        database: Tables(
            rate=_median([run.facts / run.seconds for run in some]),
            fact=_median([run.size / run.facts for run in some]),
            memory=_median([run.memory for run in some]),
        )
        for database, some in _by(runs, lambda run: run.database).items()
    }


def _process(runs: Sequence[Stands]) -> Process:
    by = _by(runs, lambda run: run.partitions)
    (few, least), (many, most) = (
        (number, _median([run.memory for run in by[number]])) for number in (min(by), max(by))
    )
    each = max(0.0, most - least) / (many - few) if many > few else 0.0
    connections = _median([run.connections for run in by[few]])
    return Process(memory=least - few * each, partition=each, connections=connections)


def _latency(found: Measured, service: Work) -> Latency:
    alone = sorted(seconds for run in found.paced for seconds in run.times)
    again = sorted(
        s for run in found.one.flooded if (run.producers, run.partitions) == (1, _OUTPUTS) for s in run.times
    )
    points = _points(found.one)
    slowest, fastest = (pick(points, key=lambda point: point.rate) for pick in (min, max))
    pace = cycle(points, _full(found.one))
    return Latency(
        alone=_quantiles(alone),
        again=_quantiles(again),
        first=pace.costs["first"],
        each=pace.costs["each"],
        outside=max(0.0, slowest.p50 - statistics.median(alone) - service.of(commits=1, events=1, size=SIZE)),
        watching=_median([run.spent.own / run.events for run in found.one.fed if run.rate == fastest.rate]),
    )


def cycle(points: Sequence[Point], full: Sequence[Full]) -> Fit:
    """Seconds between two commits of a service that always has something to commit, by the deliveries in one."""
    crowded = [(point.rate, point.commits) for point in points if point.rate > _CROWDED * point.commits]
    smallest = min(full, key=lambda each: each.size)
    cases = [*crowded, (smallest.rate, 1 / smallest.cycle)]
    rows = [{"first": 1.0, "each": rate / commits - 1} for rate, commits in cases]
    return fit(rows, [1 / commits for _, commits in cases])


def _quantiles(ordered: Sequence[float]) -> tuple[float, ...]:
    return tuple(ordered[round(number * (len(ordered) - 1) / (QUANTILES - 1))] for number in range(QUANTILES))


def _by(runs: Sequence[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    found: dict[K, list[T]] = {}
    for run in runs:
        found.setdefault(key(run), []).append(run)
    return found


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)
