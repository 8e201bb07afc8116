"""What may leave the log: what lies before the beginning of every workflow that is not finished for long enough.

A record belongs to a workflow that began no later than it was taken, so all that was taken before the oldest such
workflow began is of finished ones. Beside that, no group has to handle it still, and the tables have it.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from farandole.events.topics import JOURNAL, forwarder
from farandole.fold import Topology
from farandole.log.ports import Log
from farandole.log.record import Span, TopicPartition
from farandole_observe.questions.asking import Picture
from farandole_observe.store import tables

MARGIN = 300.0
"""Seconds by which the clocks of those who stamp records may differ."""


class Bound(NamedTuple):
    """How far back the log has to reach. `why` says so for people."""

    time: float
    why: str


class Cut(NamedTuple):
    """What may go of one partition: the offsets from `start` to before `end`, of `held` in all; `why` not more."""

    topic: str
    partition: int
    start: int
    end: int
    held: int
    why: str


async def bound(seen: Picture, keep: float) -> Bound:
    """Nothing taken at or after this may go. `keep`: seconds for which finished workflows stay."""
    t, since = tables.workflows.c, seen.now - keep
    unfinished = select(t.workflow, t.status, t.started).where(
        t.counted > 0, or_(t.status != "complete", t.updated >= since)
    )
    oldest = (await seen.connection.execute(unfinished.order_by(t.started).limit(1))).first()
    if oldest is None or oldest.started - MARGIN > since:
        return Bound(since, "it is younger")
    said = "is younger" if oldest.status == "complete" else f"is {oldest.status}"
    return Bound(oldest.started - MARGIN, f"workflow {oldest.workflow} {said}")


async def plan(log: Log, seen: Picture, keep: float) -> list[Cut]:
    """For every partition of every topic that keeps all. Raises LogError."""
    limit = await bound(seen, keep)
    plain = sorted(spec.name for spec in await log.topics() if not spec.compacted)
    stands = await _stands(log, seen.topology, set(plain))
    folded = await _folded(seen.connection)
    found = []
    for place, span in sorted((await log.spans(plain)).items()):
        reasons = [(await log.offset_at(*place, limit.time), limit.why), *stands.get(place, ())]
        if place in folded:
            reasons.append((folded[place], "the tables lack what follows"))
        found.append(_cut(place, span, reasons))
    return found


def _cut(place: TopicPartition, span: Span, reasons: Iterable[tuple[int, str]]) -> Cut:
    end, why = min(reasons, key=lambda reason: reason[0])
    end = max(span.start, min(end, span.end))
    return Cut(*place, span.start, end, span.end - span.start, why if end < span.end else "")


async def _stands(log: Log, topology: Topology, topics: set[str]) -> Mapping[TopicPartition, list[tuple[int, str]]]:
    """Where the steps' groups stand. Who never committed owes nothing, or a workflow is unfinished for it."""
    found: dict[TopicPartition, list[tuple[int, str]]] = {}
    for step in topology.steps.values():
        if not step.exists:
            continue
        for topic in step.topics:
            for group in (step.name, forwarder(step.name, topic)):
                for place, offset in (await log.committed(group)).items():
                    if place[0] in topics:
                        found.setdefault(place, []).append((offset, f"{group} goes on there"))
    return found


async def _folded(connection: AsyncConnection) -> dict[TopicPartition, int]:
    """Up to where the tables hold each partition, those of users' projections too; of the journal the shard of its
    number counts, of other topics all do.
    """
    t, found = tables.positions.c, dict[TopicPartition, int]()
    for shard, topic, partition, following in await connection.execute(select(t.shard, t.topic, t.partition, t.next)):
        if topic != JOURNAL or shard == partition:
            found[topic, partition] = min(following, found.get((topic, partition), following))
    p = tables.projection_positions.c
    for topic, partition, following in await connection.execute(select(p.topic, p.partition, p.next)):
        found[topic, partition] = min(following, found.get((topic, partition), following))
    return found
