"""Who leaves finishes what it can, says what is left, and whoever takes over goes on where it stood."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from unittest.mock import patch

from farandole.engines.memory.subscription import MemorySubscription
from farandole.events.event import Event
from farandole.log.ports import Committed, Unit
from farandole.runtime.context import Context
from farandole.runtime.declare import Service
from farandole.runtime.retry import Retry
from farandole.testing import Rehearsal, check


class Load(Event, type="leaving.load", key="k"):
    k: str
    seconds: float = 0.0


class Carried(Event, type="leaving.carried", key="k", final=True):
    k: str
    attempt: int


begun: Counter[str] = Counter()
service = Service("leaving", accepts=[Load])


@service.step(concurrency=3, retry=Retry(attempts=3, delay="1m", jitter=0.0))
async def carry(load: Load, ctx: Context) -> Carried:
    begun[load.k] += 1
    await asyncio.sleep(load.seconds)
    if load.k.startswith("flaky") and ctx.attempt == 1:
        raise OSError("once")
    return Carried(k=load.k, attempt=ctx.attempt)


def _carried(r: Rehearsal) -> list[str]:
    return sorted(event.k for event in r.events(Carried))


def test_what_ends_within_the_grace_is_committed_before_it_leaves() -> None:
    """Nothing is left, nothing runs again."""
    begun.clear()
    with Rehearsal(service, seed=None, partitions=1) as r:
        for n in range(3):
            r.publish(Load(k=f"{n}", seconds=20.0))
        r.advance("1s")
        assert r.stop("leaving") == []
        assert _carried(r) == ["0", "1", "2"]
        r.restart("leaving")
        r.settle()
        assert set(begun.values()) == {1}
        assert check(r.history()) == []


def test_what_does_not_end_within_the_grace_is_named_and_runs_elsewhere() -> None:
    """By the ids of its deliveries; what had not begun is not among them, and is lost neither."""
    begun.clear()
    with Rehearsal(service, seed=None, partitions=1) as r:
        for k, seconds in (("long", 500.0), ("short", 1.0), ("endless", 900.0), ("waiting", 1.0), ("last", 1.0)):
            r.publish(Load(k=k, seconds=seconds))
        r.advance("0.5s")
        left = r.stop("leaving")
        assert len(left) == 2
        assert _carried(r) == ["short"]
        r.restart("leaving")
        r.settle()
        facts = {fact.event.id: fact for fact in r.facts() if fact.event and fact.fact == "completed"}
        assert len(facts) == 5
        assert {key for key, count in begun.items() if count == 2} == {"long", "endless"}
        assert check(r.history()) == []


def test_it_begins_nothing_more_once_it_is_told_to_leave() -> None:
    """A grace is for finishing."""
    begun.clear()
    with Rehearsal(service, seed=None, partitions=1) as r:
        for n in range(30):
            r.publish(Load(k=f"{n}", seconds=10.0))
        r.advance("1s")
        r.stop("leaving")
        assert len(begun) == 3
        assert len(_carried(r)) == 3


def test_a_retry_that_waits_is_not_waited_for() -> None:
    """Its row brings it back, with its due time and its attempts."""
    with Rehearsal(service, seed=None, partitions=1) as r:
        r.publish(Load(k="flaky"))
        r.advance("1s")
        before = r.history().told[-1].fact.due
        assert r.stop("leaving") == []
        r.advance("20s")
        r.restart("leaving")
        r.settle()
        (event,) = r.events(Carried)
        assert event.attempt == 2
        done = next(fact for fact in r.facts() if fact.fact == "completed")
        assert 0 <= done.started - before < 1.0


def test_a_second_process_takes_its_share_and_nothing_runs_twice() -> None:
    """What runs under a lease that is taken away is finished and committed first."""
    begun.clear()
    with Rehearsal(service, seed=None, partitions=4, replicas=2) as r:
        r.stop("leaving")
        r.restart("leaving")
        for n in range(40):
            r.publish(Load(k=f"{n}", seconds=1.0))
        r.settle()
        workers = {fact.worker for fact in r.facts()}
        assert workers == {"leaving", "leaving.2"}
        assert set(begun.values()) == {1}
        assert check(r.history()) == []


def test_what_stands_still_beyond_its_lease_comes_back_as_a_zombie_and_writes_nothing() -> None:
    """Its outcome is dropped, the successor's stands."""
    begun.clear()
    with Rehearsal(service, seed=None, partitions=1, replicas=2) as r:
        r.publish(Load(k="a", seconds=3.0))
        r.advance("1s")
        r.pause("leaving", "30s")
        r.pause("leaving.2", "1s")
        r.settle()
        assert _carried(r) == ["a"]
        assert begun["a"] == 2
        assert check(r.history()) == []


def test_a_commit_that_is_under_way_is_waited_for() -> None:
    """Else what it holds would run again, though it had ended."""
    begun.clear()
    original = MemorySubscription.commit

    async def slow(self: MemorySubscription, units: Sequence[Unit]) -> Committed:
        await asyncio.sleep(3)
        return await original(self, units)

    with Rehearsal(service, seed=None, partitions=1) as r, patch.object(MemorySubscription, "commit", slow):
        r.publish(Load(k="a", seconds=1.0))
        r.advance("2s")
        assert r.stop("leaving") == []
        assert _carried(r) == ["a"]
        r.restart("leaving")
        r.settle()
        assert begun == {"a": 1}
