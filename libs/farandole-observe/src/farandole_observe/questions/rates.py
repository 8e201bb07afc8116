"""How each step does just now: what it finished lately, what it owes, how long it takes, and who works at it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import case, func, select

from farandole.log.ports import Log
from farandole_observe.questions.asking import Picture
from farandole_observe.questions.lags import lags
from farandole_observe.store.durations import percentile
from farandole_observe.store.tables import deliveries, durations, step_minutes

MINUTES = 5
"""Whole minutes over which is counted, beside the present one."""


@dataclass(slots=True)
class Rate:
    """One step. `completed`, `failed` (attempts that are retried) and `dead` in the last `MINUTES` and the present one.

    `a_minute`: attempts that completed, on average. `p50`, `p99`: seconds of an attempt, None where none is known; of
    all that ever ran. `owed`: deliveries without an outcome, retries among them, the oldest since `since` (seconds;
    0.0: none), the oldest that waits for no retry since `fresh`. `lag`: offsets that it has yet to read, None where it
    was not asked for. `workers`: that lease a partition of it now.
    """

    step: str
    completed: int = 0
    failed: int = 0
    dead: int = 0
    a_minute: float = 0.0
    p50: float | None = None
    p99: float | None = None
    owed: int = 0
    since: float = 0.0
    fresh: float = 0.0
    lag: int | None = None
    workers: set[str] = field(default_factory=set)

    def lag_seconds(self, now: float) -> float | None:
        """How old the oldest event is of those that it has yet to answer; 0.0 where it has read all.

        None where that is not known: it was not asked for, or the tables do not hold what lies unread.
        """
        if not self.lag:
            return None if self.lag is None else 0.0
        return max(0.0, now - self.fresh) if self.fresh else None


async def rates(picture: Picture, log: Log | None = None) -> list[Rate]:
    """Every step that exists, or still owes something, by name; with lag and workers where a log is given."""
    found = {name: Rate(name) for name, info in picture.topology.steps.items() if info.exists}
    await _count(picture, found)
    await _owe(picture, found)
    if log is not None:
        await _read(log, found, picture)
    return [found[name] for name in sorted(found)]


def _rate(found: dict[str, Rate], step: str) -> Rate:
    rate = found.get(step)
    if rate is None:
        rate = found[step] = Rate(step)
    return rate


async def _count(picture: Picture, found: dict[str, Rate]) -> None:
    m, d = step_minutes.c, durations.c
    since = int(picture.now // 60) - MINUTES
    lately = (
        select(m.step, func.sum(m.completed), func.sum(m.retrying), func.sum(m.dead))
        .where(m.minute >= since)
        .group_by(m.step)
    )
    elapsed = MINUTES + (picture.now % 60) / 60
    for step, completed, failed, dead in await picture.connection.execute(lately):
        rate = _rate(found, step)
        rate.completed, rate.failed, rate.dead = int(completed), int(failed), int(dead)
        rate.a_minute = rate.completed / elapsed
    counts = defaultdict[str, dict[int, int]](dict)
    for step, bucket, number in await picture.connection.execute(
        select(d.step, d.bucket, func.sum(d.count)).group_by(d.step, d.bucket)
    ):
        counts[step][bucket] = int(number)
    for step, known in counts.items():
        if step in found:
            found[step].p50, found[step].p99 = percentile(known, 0.5), percentile(known, 0.99)


async def _owe(picture: Picture, found: dict[str, Rate]) -> None:
    d = deliveries.c
    fresh = func.min(case((d.state == "owed", d.since)))
    owing = select(d.step, func.count(), func.min(d.since), fresh).where(d.state.in_(("owed", "retrying")))
    for step, number, since, first in await picture.connection.execute(owing.group_by(d.step)):
        rate = _rate(found, step)
        rate.owed, rate.since, rate.fresh = int(number), since, first or 0.0


async def _read(log: Log, found: Mapping[str, Rate], picture: Picture) -> None:
    leases = await log.leases()
    behind = await lags(log, picture.topology, leases)
    for name, rate in found.items():
        rate.workers = {holder for _, holder in leases.get(name, ())}
        rate.lag = behind.get(name)
