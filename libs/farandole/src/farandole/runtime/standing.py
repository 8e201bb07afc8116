"""Counts what the partitions of a step hold, for whoever asks; nothing of it is kept up per event."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farandole.log.standing import ROWS, Standing
from farandole.runtime.delivery import Delivery, State
from farandole.runtime.partition import Partition
from farandole.runtime.plan import Plan

_UNDER_WAY = (State.READY, State.RUNNING)
"""Of deliveries with a row those that are in flight; the others wait for a time, another delivery, or an operator."""


@dataclass(slots=True)
class Diary:
    """What a worker notes of itself, by batch; see `Standing`."""

    joined: float = 0.0
    polled: float = 0.0
    granted: bool = False
    restoring: bool = False
    taken: int = 0
    moves: int = 0


def standing_of(
    plan: Plan, held: Sequence[Partition], paused: int, diary: Diary, moment: float, *, settling: bool
) -> Standing:
    """How a step stands that holds these partitions; `settling`: outcomes wait for their commit."""
    step, running = plan.step, sum(p.running for p in held)
    since = oldest(held)
    return Standing(
        service=step.service,
        step=step.name,
        version=plan.service_version,
        moment=moment,
        concurrency=step.policy.concurrency,
        timeout=step.policy.timeout,
        joined=diary.joined,
        polled=diary.polled,
        granted=diary.granted,
        restoring=diary.restoring,
        leases=len(held),
        paused=paused,
        taken=diary.taken,
        moves=diary.moves,
        running=running,
        in_flight=in_flight(held),
        unheld=bool(in_flight([p for p in held if not p.draining])) and not (running or settling),
        rows=rows_of(held),
        groups=open_groups(held),
        lag=0.0 if since is None else max(0.0, plan.clock.now() - since),
    )


def rows_of(partitions: Sequence[Partition]) -> Mapping[str, int]:
    """Rows by kind; every kind is there."""
    counted = Counter(dict.fromkeys(ROWS, 0))
    for partition in partitions:
        for delivery in partition.owed.values():
            if delivery.row is not None:
                counted[_kind(delivery)] += 1
        for group in partition.holding.groups.values():
            counted["slot"] += len(group.rows)
        counted["closed"] += len(partition.holding.closed)
    return counted


def _kind(delivery: Delivery) -> str:
    return "open" if delivery.state in (*_UNDER_WAY, State.DONE) else delivery.state.value


def open_groups(partitions: Sequence[Partition]) -> int:
    """Groups and joins that lack members."""
    return sum(f"g:{key}" not in p.owed for p in partitions for key in p.holding.groups)


def in_flight(partitions: Sequence[Partition]) -> int:
    """Deliveries that were taken in and neither committed nor set aside."""
    return sum(
        sum(len(per) for per in p.inflight.values()) + sum(d.state in _UNDER_WAY for d in p.owed.values())
        for p in partitions
    )


def oldest(partitions: Sequence[Partition]) -> float | None:
    """When the oldest event in flight was written to the log, seconds since the epoch; of a full group: its closing."""
    times = [d.since for p in partitions for d in p.owed.values() if d.state in _UNDER_WAY]
    for partition in partitions:
        for per_topic in partition.inflight.values():
            first = next(iter(per_topic.values()), None)  # they stand in the order of the log
            if first is not None:
                times.append(first.since)
    return min(times, default=None)
