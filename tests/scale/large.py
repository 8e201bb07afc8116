"""A fan-out of any size, and what its run cost."""

import time
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

from farandole.engines.memory.subscription import MemorySubscription
from farandole.events.event import Event
from farandole.log.ports import Committed, Unit
from farandole.runtime.declare import Service
from farandole.testing import Rehearsal


class Spread(Event, type="wide.spread", key="name"):
    name: str
    size: int


class Member(Event, type="wide.member", key="name"):
    name: str


class Worked(Event, type="wide.worked", key="name"):
    name: str


class Gathered(Event, type="wide.gathered", key="name", final=True):
    name: str
    count: int
    first: str
    last: str


wide = Service("wide", accepts=[Spread])


@wide.step
def spread(event: Spread) -> list[Member]:
    return [Member(name=f"{event.name}-{n}") for n in range(event.size)]


@wide.step
def work(member: Member) -> Worked:
    return Worked(name=member.name)


@wide.step
def gather(members: list[Worked]) -> Gathered:
    first, last = members[0].name, members[-1].name
    return Gathered(name=first.rpartition("-")[0], count=len(members), first=first, last=last)


@dataclass
class Cost:
    """Of one run: seconds of processor time, bytes at the peak, and the largest records."""

    seconds: float = 0.0
    peak: int = 0
    largest: dict[str, int] = field(default_factory=dict)


def run(size: int, *, memory: bool = False) -> Cost:
    """Fan out, work, gather; fails where a member is lost."""
    cost = Cost()
    with Rehearsal(wide, seed=None) as r:
        if memory:
            tracemalloc.start()
        began = time.process_time()
        with _sizes(cost.largest):
            r.publish(Spread(name="w", size=size), id="w")
            r.settle()
        cost.seconds = time.process_time() - began
        if memory:
            cost.peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert r.events(Gathered) == [Gathered(name="w", count=size, first="w-0", last=f"w-{size - 1}")]
    return cost


@contextmanager
def _sizes(largest: dict[str, int]) -> Iterator[None]:
    """Note the largest record that is committed, per kind of topic."""
    original = MemorySubscription.commit

    async def commit(self: MemorySubscription, units: Sequence[Unit]) -> Committed:
        for unit in units:
            for new in unit.outputs:
                kind = new.topic.rpartition(".")[2]
                size = len(new.value or b"") + len(new.key or b"")
                largest[kind] = max(size, largest.get(kind, 0))
        return await original(self, units)

    with patch.object(MemorySubscription, "commit", commit):
        yield
