"""What does not go on as it should: overdue, owed by nobody, consumed by nobody, or never to be complete."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, case, func, select

from farandole.fold.topology import StepInfo
from farandole_observe.questions.asking import Picture
from farandole_observe.store.durations import percentile
from farandole_observe.store.tables import deliveries, durations, events, groups, workflows

Kind = Literal["overdue", "gone", "dead", "unconsumed", "group", "no-worker"]
"""overdue: no outcome after longer than is declared or usual, of a retry since it was due. gone: owed by a step that
no service has any more. dead: a dead letter. unconsumed: nobody takes it, and it is not final. group: it lacks members,
and nothing of its workflow moves. no-worker: something is owed by a step whose service holds no partition."""

_Found = AsyncIterator["Stuck"]
LEARNED = 3.0
"""Times the learned 99th percentile after which a step without a timeout is overdue."""
_LEAST = 10.0  # seconds before anything is overdue that declares no timeout
_SAMPLES = 20  # attempts from which a percentile is learned


@dataclass(frozen=True, slots=True)
class Stuck:
    """One thing. `since` and `limit` in seconds; `limit`: after which it is overdue, 0.0 of what has none.

    `said`: why the limit is what it is, or what went wrong.
    """

    kind: Kind
    workflow: str
    step: str
    type: str
    id: str
    since: float
    limit: float
    said: str


async def stuck(picture: Picture, leased: Collection[str] | None, limit: int) -> list[Stuck]:
    """At most so many of each kind, the longest standing first. `leased`: steps that a living worker leases.

    None: not asked, so nothing is said of workers.
    """
    found = [s async for s in _deliveries(picture, limit)]
    found += [s async for s in _loose(picture, limit)]
    found += [s async for s in _groups(picture, limit)]
    if leased is not None:
        found += [s async for s in _unserved(picture, leased)]
    return sorted(found, key=lambda s: (s.since, s.kind, s.workflow, s.id))


async def learned(picture: Picture, share: float = 0.99) -> dict[str, float]:
    """By step, the duration (seconds) that this share of its attempts did not exceed, where enough are known."""
    d = durations.c
    counts = defaultdict[str, dict[int, int]](dict)
    summed = select(d.step, d.bucket, func.sum(d.count)).group_by(d.step, d.bucket)
    for step, bucket, count in await picture.connection.execute(summed):
        counts[step][bucket] = int(count)
    found = {step: percentile(c, share) for step, c in counts.items() if sum(c.values()) >= _SAMPLES}
    return {step: seconds for step, seconds in found.items() if seconds is not None}


def _limit(info: StepInfo, p99: float | None) -> tuple[float, str]:
    declared = info.contract.timeout
    if declared is not None:
        return declared, "its declared timeout"
    if p99 is not None:
        return max(_LEAST, LEARNED * p99), f"{LEARNED:g} times its 99th percentile"
    return 0.0, ""


async def _deliveries(picture: Picture, limit: int) -> _Found:
    usual, d = await learned(picture), deliveries.c
    for step in await _steps_that_owe(picture):
        info = picture.topology.steps.get(step)
        for row in await _standing(picture, step, limit, d.state == "dead"):
            yield _stuck("dead", step, row, 0.0, f"{row['reason']}: {row['error']}")
        if info is None or not info.exists:
            for row in await _standing(picture, step, limit, d.state != "dead"):
                yield _stuck("gone", step, row, 0.0, "no service has this step any more")
            continue
        longest, why = _limit(info, usual.get(step))
        if longest:
            late = d.state.in_(("owed", "retrying")), picture.now - _BEGAN > longest
            for row in await _standing(picture, step, limit, *late):
                yield _stuck("overdue", step, row, longest, why)


def _stuck(kind: Kind, step: str, row: Any, limit: float, said: str) -> Stuck:
    since = row["began"] if kind == "overdue" else row["since"]
    return Stuck(kind, row["workflow"], step, row["type"] or "", row["id"], since, limit, said)


async def _steps_that_owe(picture: Picture) -> list[str]:
    return sorted((await picture.connection.execute(select(deliveries.c.step).where(_LEFT).distinct())).scalars())


_LEFT = deliveries.c.state.in_(("owed", "retrying", "parked", "dead"))
_BEGAN = case((deliveries.c.due > deliveries.c.since, deliveries.c.due), else_=deliveries.c.since)
"""An attempt is owed no earlier than it is due."""


async def _standing(picture: Picture, step: str, limit: int, *which: ColumnElement[bool]) -> list[Any]:
    d, e = deliveries.c, events.c
    wanted = (
        select(d.workflow, d.since, _BEGAN.label("began"), d.reason, d.error, e.type)
        .add_columns(func.coalesce(e.id, d.group).label("id"))
        .outerjoin(events, and_(e.workflow == d.workflow, e.event == d.event))
        .where(d.step == step, _LEFT, *which)
        .order_by(_BEGAN)
        .limit(limit)
    )
    return list((await picture.connection.execute(wanted)).mappings())


async def _loose(picture: Picture, limit: int) -> _Found:
    e = events.c
    wanted = select(e.workflow, e.source, e.type, e.id, e.time).where(e.loose).order_by(e.time).limit(limit)
    for workflow, source, kind, event_id, time in await picture.connection.execute(wanted):
        yield Stuck("unconsumed", workflow, source, kind, event_id, time, 0.0, "no step takes it, and it is not final")


async def _groups(picture: Picture, limit: int) -> _Found:
    g, w = groups.c, workflows.c
    wanted = (
        select(g.workflow, g.step, g.group, g.present, g.missing, g.since)
        .join(workflows, w.workflow == g.workflow)
        .where(g.standing == "open", w.status.in_(("dead", "waiting")))
        .order_by(g.since)
        .limit(limit)
    )
    for workflow, step, group, present, missing, since in await picture.connection.execute(wanted):
        said = f"{present} members are there, {missing or 'others'} are missing; farandole explain {workflow[:12]}"
        yield Stuck("group", workflow, step, "", group, since, 0.0, said)


async def _unserved(picture: Picture, leased: Collection[str]) -> _Found:
    d = deliveries.c
    left = d.state.in_(("owed", "retrying"))
    owing = select(d.step, func.count(), func.min(d.since)).where(left).group_by(d.step)
    for step, number, since in await picture.connection.execute(owing):
        if step not in leased and picture.topology.exists(step):
            yield Stuck(
                "no-worker", "", step, "", "", since, 0.0, f"{number} deliveries are owed, and no worker leases it"
            )
