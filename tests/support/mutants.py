"""Planted defects, switched on in tests only: each must be caught by the rehearsals, or these have no teeth.

A defect is planted by replacing a function of the runtime, or by one that the memory engine offers for this.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

from farandole.engines.memory.cluster import Cluster
from farandole.engines.memory.subscription import MemorySubscription
from farandole.log.ports import Committed, Unit
from farandole.runtime import holding, outcome, restore
from farandole.runtime.compose import Prepared
from farandole.runtime.delivery import Delivery, State
from farandole.runtime.gather import Group, Side
from farandole.runtime.holding import Holding
from farandole.runtime.lanes import Lanes
from farandole.runtime.outcome import Outcome
from farandole.runtime.partition import Partition
from farandole.runtime.seen import Seen

Plant = Callable[[], AbstractContextManager[Any]]


def _engine(name: str) -> Plant:
    return lambda: patch("farandole.testing.rehearsal.Cluster", partial(Cluster, mutants=[name]))


def _position_without_rows() -> AbstractContextManager[Any]:
    original = Prepared._position

    def position(self: Prepared, topic: str, age: float) -> int:
        rows = dict(self.rows)
        found = original(self, topic, age)
        self.rows = rows
        return found

    return patch.object(Prepared, "_position", position)


def _rows_not_restored() -> AbstractContextManager[Any]:
    async def nothing(*_: Any) -> None:
        return

    return patch.object(restore, "_deliveries", nothing)


def _outputs_outside() -> AbstractContextManager[Any]:
    original = MemorySubscription.commit

    async def commit(self: MemorySubscription, units: Sequence[Unit]) -> Committed:
        def inside(topic: str) -> bool:
            return topic.startswith("farandole.") or topic.endswith((".state", ".dlq", ".inbox"))

        early = [new for unit in units for new in unit.outputs if not inside(new.topic)]
        if early:
            await self._handle.write("append", lambda: self._cluster.write(early, self._handle))
        rest = [unit._replace(outputs=[new for new in unit.outputs if inside(new.topic)]) for unit in units]
        return await original(self, rest)

    return patch.object(MemorySubscription, "commit", commit)


def _retry_row_lost() -> AbstractContextManager[Any]:
    original = Partition._retry

    def retry(self: Partition, delivery: Delivery, *args: Any) -> None:
        finished = self.crew.finished

        def lose(told: Outcome) -> None:
            if told.ending == "retrying":
                told.rows[delivery.key] = None
            finished(told)

        with patch.object(self.crew, "finished", lose):
            original(self, delivery, *args)

    return patch.object(Partition, "_retry", retry)


def _seen_not_restored() -> AbstractContextManager[Any]:
    return patch.object(Seen, "restore", lambda *_: None)


def _pending_closes() -> AbstractContextManager[Any]:
    full = property(lambda side: side.missing or (side.size is not None and len(side.slots) == side.size))
    return patch.object(Side, "full", full)


def _lane_not_blocked() -> AbstractContextManager[Any]:
    enter, leave, die = Lanes.enter, Lanes.leave, Partition.die

    def open_lane(lanes: Lanes, delivery: Delivery) -> bool:
        queue = lanes._queues.get(delivery.lane or "")
        return enter(lanes, delivery) or all(d is delivery or d.state is State.DEAD for d in queue or ())

    def leave_anywhere(lanes: Lanes, delivery: Delivery) -> Delivery | None:
        queue = lanes._queues.get(delivery.lane or "")
        if delivery.lane is None or queue is None or delivery not in queue or queue[0] is delivery:
            return leave(lanes, delivery) if delivery.lane is None or queue is not None else None
        queue.remove(delivery)
        return next((waiting for waiting in queue if waiting.state is not State.DEAD), None)

    def die_and_go_on(self: Partition, delivery: Delivery, *args: Any, **kwargs: Any) -> None:
        with patch.object(Partition, "_park_behind", lambda *_: None):
            die(self, delivery, *args, **kwargs)
        following = next(iter(self.lanes.behind(delivery)), None) if delivery.lane is not None else None
        if following is not None and following.state is State.READY:
            self._advance(following)

    stack = ExitStack()
    stack.enter_context(patch.object(Lanes, "enter", open_lane))
    stack.enter_context(patch.object(Lanes, "leave", leave_anywhere))
    stack.enter_context(patch.object(Partition, "die", die_and_go_on))
    return stack


def _group_fires_again() -> AbstractContextManager[Any]:
    def close(self: Holding, group: Group, told: Outcome) -> None:
        told.rows[f"g:{group.key}"] = None
        self.groups.pop(group.key, None)
        self.closed[group.key] = self._plan.clock.now()

    return patch.object(Holding, "close", close)


def _absence_not_forwarded() -> AbstractContextManager[Any]:
    original = outcome.forwarded

    def forwarded(*args: Any) -> Outcome:
        told = original(*args)
        told.records.clear()
        for fact in told.facts:
            fact.pop("outputs", None)
        return told

    return patch.object(outcome, "forwarded", forwarded)


def _timers_lost() -> AbstractContextManager[Any]:
    original = Partition.resume

    def resume(self: Partition, delivery: Delivery) -> None:
        with patch.object(Partition, "wait_for", lambda *_: None):
            original(self, delivery)

    return patch.object(Partition, "resume", resume)


def _slots_not_written() -> AbstractContextManager[Any]:
    return patch.object(holding, "slot_row", lambda *_: None)


def _redrive_not_remembered() -> AbstractContextManager[Any]:
    return patch.object(Partition, "dead", lambda self: [d for d in self.owed.values() if d.group is None])


MUTANTS: dict[str, tuple[str, Plant]] = {
    "no-fencing": ("a commit counts whoever holds the lease", _engine("no-fencing")),
    "lost-lease-committed": ("the late outcome of a lost lease is written", _engine("lost-lease-committed")),
    "position-without-outputs": ("the position is durable before the outputs", _engine("position-without-outputs")),
    "position-without-rows": ("the position passes what is unfinished, without a row", _position_without_rows),
    "rows-not-restored": ("a take-over forgets the deliveries that rows tell of", _rows_not_restored),
    "outputs-outside": ("outputs are written before the commit, not with it", _outputs_outside),
    "retry-row-lost": ("a retry has no row", _retry_row_lost),
    "seen-not-restored": ("a take-over forgets the inputs seen", _seen_not_restored),
    "pending-closes": ("the absence of a dead letter closes its group", _pending_closes),
    "lane-not-blocked": ("what follows a dead letter in its lane passes it", _lane_not_blocked),
    "group-fires-again": ("a closed group leaves its slots, and fires again after a take-over", _group_fires_again),
    "absence-not-forwarded": ("an absence ends at the first step", _absence_not_forwarded),
    "timers-lost": ("a take-over does not wait for retries, so they never come", _timers_lost),
    "slots-not-written": ("a filled slot has no row", _slots_not_written),
}
"""Name of each defect, what it does wrong, and how it is planted."""


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """Plant a defect while inside; None: none."""
    if name is None:
        yield
        return
    if name not in MUTANTS:
        raise KeyError(f"no such mutant: {name}; there are {', '.join(MUTANTS)}")
    with MUTANTS[name][1]():
        yield
