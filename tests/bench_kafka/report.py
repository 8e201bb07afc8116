"""From what was found to bars, tables and JSON; measures nothing."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from tests.bench.bars import Bar, ratio_bar
from tests.bench.bars import as_json as bars_as_json
from tests.bench.bars import show as show_bars
from tests.bench_kafka import flows, inputs, peers
from tests.bench_kafka.broker import median
from tests.bench_kafka.flows import Flows
from tests.bench_kafka.latency import RATE, Latency
from tests.bench_kafka.peers import FASTSTREAM, FAUST, OURS, QUIX, QUIX_EOS, RAW_EOS, RAW_TOLD
from tests.bench_kafka.throughput import Throughput

RATIOS = (
    (RAW_EOS, 0.35, "aim 0.5"),
    (RAW_TOLD, 0.6, ""),
    (FASTSTREAM, 5.0, ""),
    (FAUST, 5.0, ""),
    (QUIX_EOS, 1.0, "at our interval between commits"),
)
"""What Farandole's throughput has to be, as a multiple of a peer's; and what is said beside."""
LATER = 2.0
"""Milliseconds by which the median event may come later than with a raw transaction."""

_AIMS = {RAW_EOS: 0.5, QUIX: 1.0}


@dataclass(slots=True)
class Found:
    """What was measured, on a broker of this origin."""

    origin: str
    throughput: Throughput = field(default_factory=Throughput)
    latency: dict[int, Latency] = field(default_factory=dict)
    flows: Flows = field(default_factory=Flows)


def judged(found: Found, *, complete: bool) -> list[Bar]:
    """Every bar whose peers were measured; `complete`: every bar there is, missed where it could not be judged."""
    speed = found.throughput
    bars = [
        _bar(f"hop / {other}", speed.ratios(OURS, other), bar, at_least=True, note=note)
        for other, bar, note in RATIOS
        if complete or _both(speed.runs, other)
    ]
    one = found.latency.get(1, Latency(1))
    if complete or _both(one.rounds, RAW_EOS):
        above = one.above(OURS, RAW_EOS)
        bar = _bar(f"1 hop at {RATE:.0f}/s, p50 later than {RAW_EOS}", above, LATER, at_least=False)
        bars.append(Bar(bar.name, bar.figure, bar.bar, "ms", False, bar.range, "the same interval: what has come"))
    return bars


def aims(found: Found) -> dict[str, float]:
    """What is aimed at beyond the bars: multiples of the raw transaction (0.5) and of Quix's default (1)."""
    speed = found.throughput
    return {other: median(speed.ratios(OURS, other)) for other in (RAW_EOS, QUIX) if _both(speed.runs, other)}


def show(found: Found, bars: Sequence[Bar], console: Console) -> None:
    """Every table for people, and how each peer was set up."""
    if found.throughput.runs:
        console.print(_throughput(found.throughput))
    for one in found.latency.values():
        if one.rounds:
            console.print(_latency(one))
    if found.flows.alone:
        console.print(_flows(found.flows))
    for name, text in settings(found).items():
        console.print(f"  {name}: {text}", highlight=False)
    for name, why in failures(found):
        console.print(f"[red]failed[/] {name}: {why}", highlight=False)
    for name, ratio in aims(found).items():
        console.print(f"aim: hop / {name} {ratio:.2f}, to reach {_AIMS[name]:g}", highlight=False)
    show_bars(bars, console)


def as_json(found: Found, bars: Sequence[Bar]) -> dict[str, object]:
    """The same for machines. Times in milliseconds, CPU in seconds."""
    return {
        "bench-kafka": [_finite(bar) for bar in bars_as_json(bars)],
        "aims": _finite(dict(aims(found))),
        "throughput": [row._asdict() for row in _speeds(found.throughput)],
        "latency": [row._asdict() | {"hops": one.hops} for one in found.latency.values() for row in _delays(one)],
        "flows": [{"name": name, "alone": alone, "together": many} for name, alone, many in found.flows.rows()],
        "failures": list(failures(found)),
        "settings": settings(found),
        "broker": found.origin,
    }


def settings(found: Found) -> dict[str, str]:
    """How each of those measured was set up, and what all have in common."""
    names = [*found.throughput.runs, *found.latency.get(1, Latency(1)).rounds]
    told = {peer.name: peer.settings for peer in peers.PEERS if peer.name in names}
    told |= {name: text for name, text in flows.SETTINGS.items() if name in found.flows.alone}
    interval = 1000 * found.throughput.interval()
    return told | {
        "every hop": f"{inputs.size()} B of JSON, one partition, one process, the topic preloaded, timed by the broker",
        "latency": "1 hop: an inner one; 5 hops: five processes, the first event from outside; 300 B of JSON",
        "our interval between commits": f"{interval:.1f} ms when as fast as it goes; what has come, at {RATE:.0f}/s",
    }


def failures(found: Found) -> Iterator[tuple[str, str]]:
    """Who failed in which part, and why."""
    yield from ((f"throughput, {name}", why) for name, all_ in found.throughput.failures.items() for why in all_)
    for one in found.latency.values():
        yield from ((f"{one.hops} hops, {name}", why) for name, all_ in one.failures.items() for why in all_)
    yield from ((f"flows, {name}", why) for name, why in found.flows.failures.items())


class Speed(NamedTuple):
    """A row of throughput: medians, and the range of the rates."""

    name: str
    rate: float
    lowest: float
    highest: float
    cpu: float
    commit: float
    lost: int
    twice: int
    events: int


class Delay(NamedTuple):
    """A row of latency: medians of the rounds."""

    name: str
    p50: float
    p99: float
    p50s: list[float]


def _speeds(speed: Throughput) -> Iterator[Speed]:
    for name, runs in speed.runs.items():
        good = [run for run in runs if run is not None]
        if good:
            rates = [run.rate for run in good]
            yield Speed(
                name,
                median(rates),
                min(rates),
                max(rates),
                median(run.cpu for run in good),
                1000 * median(run.interval for run in good) if any(run.recount.commits for run in good) else 0.0,
                sum(run.recount.lost for run in good),
                sum(run.recount.twice for run in good),
                good[0].events,
            )


def _delays(one: Latency) -> Iterator[Delay]:
    for name in one.rounds:
        if p50s := one.p50(name):
            yield Delay(name, median(p50s), median(one.p99(name)), p50s)


def _throughput(speed: Throughput) -> Table:
    heads = ("one hop", "events/s", "range", "CPU-s/1,000", "ms a commit", "lost", "twice", "events")
    table = Table(*heads, title="Throughput, medians")
    for row in sorted(_speeds(speed), key=lambda row: -row.rate):
        span = f"{row.lowest:,.0f} … {row.highest:,.0f}"
        commit = f"{row.commit:.1f}" if row.commit else ""
        counts = (str(row.lost), str(row.twice), f"{row.events:,}")
        table.add_row(row.name, f"{row.rate:,.0f}", span, f"{row.cpu:.4f}", commit, *counts)
    return table


def _latency(one: Latency) -> Table:
    title = f"Latency at {RATE:.0f}/s, {one.hops} hop{'s' * (one.hops > 1)}, medians of the rounds"
    table = Table("who", "p50 ms", "p99 ms", "p50 of each round", title=title)
    for row in sorted(_delays(one), key=lambda row: row.p50):
        table.add_row(row.name, f"{row.p50:.2f}", f"{row.p99:.2f}", "  ".join(f"{each:.2f}" for each in row.p50s))
    return table


def _flows(found: Flows) -> Table:
    table = Table("who", "one at a time", "many at once", title="A flow of five trivial steps, ms a step, medians")
    for name, alone, many in found.rows():
        table.add_row(name, f"{alone:.2f}", f"{many:.2f}")
    return table


def _finite(row: dict[str, object]) -> dict[str, object]:
    """JSON knows no NaN."""
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}


def _both(there: Mapping[str, object], other: str) -> bool:
    return OURS in there and other in there


def _bar(name: str, figures: Sequence[float], bar: float, *, at_least: bool, note: str = "") -> Bar:
    """Missed where nothing was measured: not a number reaches no bar."""
    if not figures:
        return Bar(name, float("nan"), bar, "x", at_least, note="could not be judged")
    return ratio_bar(name, figures, bar, at_least=at_least, note=note)
