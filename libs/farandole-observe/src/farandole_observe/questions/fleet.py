"""`Fleet`: figures that only the fold knows, of all workflows and steps at once; what the projector's metrics show."""

from collections import Counter
from dataclasses import dataclass
from typing import get_args

from sqlalchemy import func, select

from farandole.events.facts import REASONS
from farandole.fold import Status
from farandole.log.ports import Log
from farandole_observe.questions.asking import Picture
from farandole_observe.questions.rates import Rate, rates
from farandole_observe.questions.stuck import Kind, stuck
from farandole_observe.questions.summaries import Filter, count
from farandole_observe.store.tables import deliveries, groups, workers, workflows

COUNTED = 1_000
"""Things of one kind at one step that are counted as stuck; beyond that, more does not say more."""
OTHER = "other"
"""Stands for a step, or a reason, that nobody has declared: what is no name of ours makes no series."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """By step (`service/step`), reason and kind: only declared ones, and `OTHER`. Times in seconds.

    `age`: since nothing of the log was lacking, None where that was never so. `seen`: by service, when a worker of it
    last finished an attempt, since the epoch.
    """

    age: float | None
    cut: int
    workflows: dict[str, int]
    rates: list[Rate]
    owed_oldest: dict[str, float]
    dead: dict[tuple[str, str], int]
    stuck: dict[tuple[str, str], int]
    open_groups: dict[str, int]
    seen: dict[str, float]


async def fleet(picture: Picture, log: Log) -> Fleet:
    """The figures of this moment. Raises SQLAlchemyError, LogUnavailable."""
    known = set(picture.topology.steps)
    leased = {group for group, leases in (await log.leases()).items() if leases}
    steps = [rate for rate in await rates(picture, log) if rate.step in known]
    found = Counter((_name(s.step, known), s.kind) for s in await stuck(picture, leased, COUNTED))
    return Fleet(
        age=picture.age,
        cut=picture.freshness.cut,
        workflows=await _workflows(picture),
        rates=steps,
        owed_oldest={rate.step: max(0.0, picture.now - rate.since) if rate.since else 0.0 for rate in steps},
        dead=await _dead(picture, known),
        stuck={(step, kind): 0 for step in known for kind in get_args(Kind)} | found,
        open_groups=await _open_groups(picture, known),
        seen=await _seen(picture),
    )


def _name(step: str, known: set[str]) -> str:
    return step if step in known else OTHER


async def _workflows(picture: Picture) -> dict[str, int]:
    """By status. Those that are complete are counted from the index alone, for they are many."""
    w = workflows.c
    found = {status: await count(picture, Filter(status=status)) for status in get_args(Status) if status != "complete"}
    complete = select(func.count()).select_from(workflows).where(w.status == "complete")
    return found | {"complete": int((await picture.connection.execute(complete)).scalar_one())}


async def _dead(picture: Picture, known: set[str]) -> dict[tuple[str, str], int]:
    d = deliveries.c
    standing = select(d.step, d.reason, func.count()).where(d.state == "dead").group_by(d.step, d.reason)
    found = Counter({(step, reason): 0 for step in known for reason in REASONS})
    for step, reason, number in await picture.connection.execute(standing):
        found[_name(step, known), reason if reason in REASONS else OTHER] += int(number)
    return found


async def _open_groups(picture: Picture, known: set[str]) -> dict[str, int]:
    g = groups.c
    found = Counter(dict.fromkeys(known, 0))
    for step, number in await picture.connection.execute(
        select(g.step, func.count()).where(g.standing == "open").group_by(g.step)
    ):
        found[_name(step, known)] += int(number)
    return found


async def _seen(picture: Picture) -> dict[str, float]:
    services = {manifest.service for manifest in picture.manifests.values()}
    found = await picture.connection.execute(select(workers.c.service, func.max(workers.c.seen)).group_by("service"))
    return {service: float(seen) for service, seen in found if service in services}
