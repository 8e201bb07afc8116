"""What a simulated dance comes to: delays, utilisation, lag and recovery; and how a row of figures is drawn in text."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from scripts.scale.dance import Dance

SETTLED = 1.5
"""Times the largest age before a failure below which a step counts as recovered."""
_LEAST = 0.1  # seconds below which nobody speaks of lag


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds, and shares of 1. `rate`: events that came through. `hop`: one hop's delay, `whole`: all hops'.
    `busiest`: of the interpreters. `batch`: deliveries of a commit. `commits`: a second. `lag`: of the oldest event.
    """

    rate: float
    hop_p50: float
    hop_p99: float
    whole_p50: float
    whole_p99: float
    busiest: float
    mean_busy: float
    brokers: float
    batch: float
    commits: float
    lag: float

    def as_json(self) -> dict[str, float | None]:
        """For machines, which know no NaN."""
        return {name: None if math.isnan(value) else value for name, value in asdict(self).items()}


def figures(dance: Dance) -> Figures:
    """Of all that has gone by."""
    seconds = dance.clock.now
    processes = [process for hop in dance.hops for process in (*hop.processes, *hop.retired)]
    commits, events = (sum(getattr(process, name) for process in processes) for name in ("commits", "events"))
    busy = [process.busy / seconds for process in processes]
    hops = [pair for hop in dance.hops for pair in hop.delays]
    return Figures(
        rate=dance.counted / (seconds - dance.setting.warm),
        hop_p50=percentile(hops, 0.5),
        hop_p99=percentile(hops, 0.99),
        whole_p50=percentile(dance.delays, 0.5),
        whole_p99=percentile(dance.delays, 0.99),
        busiest=max(busy),
        mean_busy=sum(busy) / len(busy),
        brokers=dance.brokers.busy / seconds / dance.brokers.count,
        batch=events / commits if commits else 0.0,
        commits=commits / seconds,
        lag=max((age for hop in dance.hops for at, age in hop.ages if at >= dance.setting.warm), default=0.0),
    )


def percentile(pairs: Sequence[tuple[float, int]], share: float) -> float:
    """The value that `share` of the events do not exceed; pairs of value and count. Of none: not a number."""
    wanted = share * sum(count for _, count in pairs)
    for value, count in sorted(pairs):
        wanted -= count
        if wanted <= 0:
            return value
    return math.nan


def recovery(dance: Dance, hop: int, at: float) -> tuple[float, float]:
    """After a failure then: the largest age of an event, and seconds until it is as before; inf where it is not."""
    ages = dance.hops[hop].ages
    before = max((age for moment, age in ages if dance.setting.warm <= moment < at), default=0.0)
    after = [(moment, age) for moment, age in ages if moment >= at]
    bound = max(_LEAST, SETTLED * before)
    late = [moment for moment, age in after if age > bound]
    if not late:
        return max(age for _, age in after), 0.0
    healed = math.inf if late[-1] == after[-1][0] else late[-1] - at
    return max(age for _, age in after), healed


def bars(rows: Sequence[tuple[str, float]], *, width: int = 40, unit: str = "") -> str:
    """A line a row, as long as its value; logarithmic where the values span more than a hundred times."""
    there = [value for _, value in rows if math.isfinite(value) and value > 0]
    if not there:
        return ""
    low, high = min(there), max(there)
    named = max(len(name) for name, _ in rows)

    def length(value: float) -> int:
        if not math.isfinite(value):
            return width
        if value <= 0:
            return 0
        if high > 100 * low:
            return 1 + round((width - 1) * math.log(value / low) / math.log(high / low))
        return round(width * value / high)

    return "\n".join(
        f"{name:>{named}} │{'█' * length(value):<{width}}│ {value:,.4g} {unit}".rstrip() for name, value in rows
    )
