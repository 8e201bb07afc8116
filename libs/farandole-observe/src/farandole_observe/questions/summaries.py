"""Many workflows at a glance, from counts that the tables hold or add up: nothing is folded for it."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from farandole.events.scope import read_scope, scope_text
from farandole.fold import EventView, Status, StepCount, Summary, Topology
from farandole_observe.questions.asking import Picture
from farandole_observe.store.tables import attempts, deliveries, events, groups, workflows

_ENDED = ("held", "completed", "discarded", "cancelled")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which workflows are meant. Times in seconds since the epoch; `step`: something of theirs is left at it."""

    status: Status | None = None
    since: float | None = None
    until: float | None = None
    input_type: str | None = None
    step: str | None = None


async def count(picture: Picture, wanted: Filter) -> int:
    """How many workflows there are of this kind."""
    found = select(func.count()).select_from(workflows).where(*_conditions(picture.topology, wanted))
    return int((await picture.connection.execute(found)).scalar_one())


async def summaries(picture: Picture, wanted: Filter, limit: int) -> list[Summary]:
    """The newest ones of this kind."""
    page = (
        select(workflows)
        .where(*_conditions(picture.topology, wanted))
        .order_by(workflows.c.started.desc(), workflows.c.workflow)
        .limit(limit)
    )
    rows = (await picture.connection.execute(page)).mappings().all()
    names = [row["workflow"] for row in rows]
    inputs = await _inputs(picture, names)
    steps = await _steps(picture.connection, names)
    moving = await _moving(picture, [row["workflow"] for row in rows if row["parked"]])
    return [_summary(row, inputs[row["workflow"]], steps[row["workflow"]], moving) for row in rows]


def _summary(row: Any, inputs: Sequence[EventView], steps: dict[str, StepCount], moving: Collection[str]) -> Summary:
    status: Status = "running" if row["workflow"] in moving else row["status"]
    return Summary(
        workflow=row["workflow"],
        status=status,
        moves=status == "running",
        truncated=bool(row["truncated"]),
        started=row["started"],
        updated=row["updated"],
        inputs=tuple(inputs),
        steps=steps,
    )


# -- which ones ---------------------------------------------------------------------------------------------


def _conditions(topology: Topology, wanted: Filter) -> list[ColumnElement[bool]]:
    w = workflows.c
    found: list[ColumnElement[bool]] = [w.counted > 0]
    if wanted.status == "running":
        found.append(or_(w.status == "running", _freed(topology)))
    elif wanted.status is not None:
        found.append(and_(w.status == wanted.status, ~_freed(topology)))
    if wanted.since is not None:
        found.append(w.started >= wanted.since)
    if wanted.until is not None:
        found.append(w.started <= wanted.until)
    if wanted.input_type is not None:
        typed = (events.c.type == wanted.input_type) | (events.c.topic == wanted.input_type)
        found.append(exists().where(events.c.workflow == w.workflow, events.c.given_by.is_(None), typed))
    if wanted.step is not None:
        found.append(_left_at(wanted.step))
    return found


def _left_at(step: str) -> ColumnElement[bool]:
    """Something is left at the step: a delivery, or a group that lacks members."""
    d, g, w = deliveries.c, groups.c, workflows.c
    owes = exists().where(d.workflow == w.workflow, d.step == step, d.state.not_in(_ENDED))
    return or_(owes, exists().where(g.workflow == w.workflow, g.step == step, g.standing == "open"))


def _freed(topology: Topology) -> ColumnElement[bool]:
    """Something of the workflow is parked behind what is no dead letter any more, so it moves by itself."""
    return and_(workflows.c.parked > 0, _free(topology).where(deliveries.c.workflow == workflows.c.workflow).exists())


def _free(topology: Topology) -> Select[tuple[str]]:
    other = deliveries.alias("other")
    living = [name for name, info in topology.steps.items() if info.exists]
    dead = exists().where(other.c.id == deliveries.c.behind, other.c.state == "dead")
    return select(deliveries.c.workflow).where(deliveries.c.state == "parked", deliveries.c.step.in_(living), ~dead)


async def _moving(picture: Picture, names: Collection[str]) -> set[str]:
    if not names:
        return set()
    found = _free(picture.topology).where(deliveries.c.workflow.in_(names)).distinct()
    return {str(row[0]) for row in await picture.connection.execute(found)}


# -- what is said of them -----------------------------------------------------------------------------------


async def _inputs(picture: Picture, names: Sequence[str]) -> dict[str, list[EventView]]:
    e = events.c
    roots = select(events).where(e.workflow.in_(names), e.given_by.is_(None), e.counted)
    found = defaultdict[str, list[EventView]](list)
    for row in (await picture.connection.execute(roots.order_by(e.time, e.source, e.id))).mappings():
        if row["source"] not in picture.topology.steps:
            found[row["workflow"]].append(event_view(row))
    return found


def event_view(row: Any) -> EventView:
    """An event of the tables as the fold shows it."""
    at = None if row["at_topic"] is None else (row["at_topic"], row["at_partition"], row["at_offset"])
    return EventView(
        source=row["source"],
        id=row["id"],
        type=row["type"],
        topic=row["topic"],
        key=row["key"],
        time=row["time"],
        cause=row["cause"],
        scope=scope_text(read_scope(row["scope"])),
        absent=bool(row["absent"]),
        pending=bool(row["pending"]),
        place=at,
    )


async def _steps(connection: AsyncConnection, names: Sequence[str]) -> dict[str, dict[str, StepCount]]:
    """By workflow and step, how its deliveries stand."""
    counted = defaultdict[tuple[str, str], dict[str, Any]](dict)
    d, g = deliveries.c, groups.c
    states = select(d.workflow, d.step, d.state, func.count()).where(d.workflow.in_(names))
    for workflow, step, state, number in await connection.execute(states.group_by(d.workflow, d.step, d.state)):
        counted[workflow, step]["waiting" if state == "owed" else state] = number
    still = select(g.workflow, g.step, func.count()).where(g.workflow.in_(names), g.standing == "open")
    for workflow, step, number in await connection.execute(still.group_by(g.workflow, g.step)):
        counted[workflow, step]["gathering"] = number
    for workflow, step, *ran in await connection.execute(_times(names)):
        counted[workflow, step] |= zip(("attempts", "seconds", "longest"), ran, strict=True)
    found = defaultdict[str, dict[str, StepCount]](dict)
    for workflow, step in sorted(counted):
        found[workflow][step] = StepCount(**(_NOTHING | counted[workflow, step]))
    return found


def _times(names: Sequence[str]) -> Select[Any]:
    a, d = attempts.c, deliveries.c
    took = a.finished - a.started
    return (
        select(a.workflow, d.step, func.count(), func.sum(took), func.max(took))
        .join(deliveries, and_(a.workflow == d.workflow, a.delivery == d.delivery))
        .where(a.workflow.in_(names))
        .group_by(a.workflow, d.step)
    )


_NOTHING: dict[str, Any] = {
    "waiting": 0,
    "retrying": 0,
    "parked": 0,
    "dead": 0,
    "held": 0,
    "completed": 0,
    "discarded": 0,
    "cancelled": 0,
    "gathering": 0,
    "attempts": 0,
    "seconds": 0.0,
    "longest": 0.0,
}
