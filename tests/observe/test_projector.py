"""The tables are the fold's: whatever the order, the slices, the replicas and the crashes in which they were filled."""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from farandole.engines.memory.cluster import Cluster
from farandole.engines.memory.log import MemoryLog
from farandole.events.errors import Fenced, LogUnavailable
from farandole.events.topics import JOURNAL
from farandole.fold import Fold, Summary, canonical
from farandole.log.ports import Log, Reader
from farandole.log.record import NewRecord, TopicPartition
from farandole_observe.projector import shard as shard_module
from farandole_observe.projector.replica import Replica
from farandole_observe.questions.asking import picture
from farandole_observe.questions.summaries import Filter, count, summaries
from farandole_observe.store.opening import MEMORY, Store, open_store
from farandole_observe.store.shards import positions
from tests.observe import written
from tests.observe.given import asked, fill, hash_of, opened
from tests.observe.projections import HandClock


@asynccontextmanager
async def timed(url: str = MEMORY) -> AsyncIterator[tuple[Log, Store, HandClock]]:
    """A log of its own whose time is told by hand, and a store."""
    clock = HandClock()
    clock.time = 1e9
    log, store = MemoryLog(Cluster(clock=clock)), await open_store(url)
    try:
        yield log, store, clock
    finally:
        await store.close()
        await log.close()


async def filled(records: Sequence[NewRecord]) -> str:
    """The hash after one fold of all that is there."""
    async with opened() as (log, store):
        await fill(log, store, records)
        return await hash_of(store)


@pytest.mark.parametrize("seed", range(6))
async def test_the_tables_answer_what_the_fold_answers(seed: int) -> None:
    """Every workflow, in full and at a glance."""
    dance = written.played(seed)
    fold: Fold = dance.fold()
    async with asked(dance) as seen:
        found = await summaries(seen, Filter(), 1000)
        assert len(found) == await count(seen, Filter()) == len(fold.workflows())
        for summary in found:
            told = fold.workflow(summary.workflow)
            assert told is not None
            assert canonical(await seen.state(summary.workflow)) == canonical(told)
            assert _plain(summary) == _plain(told.summary)


def _plain(summary: Summary) -> Any:
    """Without the times at which the log took things, and to the microsecond."""
    inputs = tuple(replace(view, time=0.0, place=None) for view in summary.inputs)
    steps = {n: replace(s, seconds=round(s.seconds, 6), longest=round(s.longest, 6)) for n, s in summary.steps.items()}
    return replace(summary, started=0.0, updated=0.0, inputs=inputs, steps=steps)


@pytest.mark.parametrize("seed", range(6))
async def test_slices_restarts_crashes_and_interleavings_end_in_the_same_tables(
    seed: int, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """What is folded while it is written, by replicas that die at any statement, equals one fold of it all."""
    print(f"seed {seed}")
    dance, rng = written.played(seed), random.Random(seed)
    lines = written.lines_of(dance)
    whole = await filled(written.shuffled(lines, 1))
    assert whole == await filled(written.shuffled(lines, 2))
    _crash_at_random(monkeypatch, rng)
    records = written.shuffled(lines, seed)
    async with opened(url) as (log, store):
        await written.make_topics(log, records)
        replica = Replica(log, store, "one")
        crashes = 0
        while records:
            cut = rng.randint(1, 8)
            await log.append(records[:cut])
            records = records[cut:]
            try:
                for _ in range(rng.randint(0, 3)):
                    await replica.turn(0.001)
            except OperationalError:
                crashes += 1
                replica = Replica(log, store, "one")
            if rng.random() < 0.1:
                replica = Replica(log, store, "one")  # its predecessor is gone without a word
        monkeypatch.undo()
        assert crashes, "nothing was tested"
        await Replica(log, store, "one").catch_up()
        assert await hash_of(store) == whole


async def _turns(replica: Replica, number: int) -> None:
    for _ in range(number):
        await replica.turn(0.01)


def _crash_at_random(monkeypatch: pytest.MonkeyPatch, rng: random.Random) -> None:
    plain = shard_module.upsert

    async def upsert(connection: AsyncConnection, *args: Any, **more: Any) -> None:
        if rng.random() < 0.02:
            raise OperationalError("planted", None, RuntimeError("the process died"))
        await plain(connection, *args, **more)

    monkeypatch.setattr(shard_module, "upsert", upsert)


async def test_replicas_share_the_shards_and_one_that_was_overtaken_writes_nothing() -> None:
    """Two of them end in the tables of one; who lost a shard is fenced by its epoch."""
    records = written.shuffled(written.lines_of(written.played(3)), 3)
    whole = await filled(records)
    async with opened() as (log, store):
        await written.make_topics(log, records)
        one, other = Replica(log, store, "one"), Replica(log, store, "other")
        await log.append(records[: len(records) // 2])
        await _turns(one, 5)
        await other.turn(0.001)  # makes itself known
        for _ in range(3):
            one.hurry()
            await one.turn(0.001)  # gives back what is beyond its share
            other.hurry()
            await other.turn(0.001)
        assert one.held
        assert other.held
        assert sorted(one.held | other.held) == list(range(written.PARTITIONS))
        await log.append(records[len(records) // 2 :])
        overtaken = Replica(log, store, "one")  # the same name: it takes what is the other's of this name
        await overtaken.turn(0.001)
        with pytest.raises(Fenced):
            await _turns(one, 3)
        await overtaken.catch_up()
        await other.catch_up()
        assert await hash_of(store) == whole


async def test_the_age_is_that_of_what_is_folded_also_while_facts_never_cease() -> None:
    """The end of the log is never met, and yet the tables are never older than two looks at it."""
    records = written.shuffled(written.lines_of(written.played(3)), 3)
    async with timed() as (log, store, clock):
        await written.make_topics(log, records)
        replica, ages = Replica(log, store, "one"), []
        for start in range(0, len(records) - 2, 2):
            await log.append(records[start : start + 1])
            await replica.turn(0.0)
            await log.append(records[start + 1 : start + 2])
            clock.time += 0.5
            ages.append(await _age(log, store))
        await replica.close()
    assert len(ages) > 20
    assert not [age for age in ages[6:] if age is None or not 0.0 < age <= 2.5], ages


async def test_who_takes_shards_over_claims_nothing_before_it_has_read_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """It had passed their facts by while they were another's."""
    records = written.shuffled(written.lines_of(written.played(3)), 3)
    half = len(records) // 2
    async with timed() as (log, store, clock):
        await fill(log, store, records[:half])
        clock.time += 20.0
        one, other = Replica(log, store, "one"), Replica(log, store, "other")
        await other.turn(0.0)  # makes itself known
        for replica in (one, other, one, other):
            replica.hurry()
            await _turns(replica, 2)
        assert one.held
        assert other.held
        await log.append(records[half:])
        await _turns(other, 5)
        clock.time += 60.0  # the one is gone
        with monkeypatch.context() as patch:
            patch.setattr(log, "reader", _refuse)
            with pytest.raises(LogUnavailable):
                await other.turn(0.0)
        assert len(other.held) == written.PARTITIONS
        assert (await _age(log, store) or 0.0) >= 60.0
        await _turns(other, 5)
        clock.time += 2.0
        await _turns(other, 2)
        assert await _age(log, store) == 0.0


async def _refuse(*_: Any) -> Reader:
    raise LogUnavailable("planted")


async def _age(log: Log, store: Store) -> float | None:
    async with picture(store, log.clock.now()) as seen:
        return seen.age


async def test_what_is_cut_while_a_projector_stands_still_is_said_and_the_rest_is_folded(tmp_path: Path) -> None:
    """It goes on where the log begins now, and ends neither by what it can read no more nor without a word of it."""
    records = written.shuffled(written.lines_of(written.played(3)), 3)
    third = len(records) // 3
    async with timed(f"sqlite:///{tmp_path}/tables.db") as (log, store, clock):
        await written.make_topics(log, records)
        replica = Replica(log, store, "one")
        await log.append(records[:third])
        await _turns(replica, 5)
        folded = await _journal_ends(log)
        await log.append(records[third : 2 * third])
        clock.time += 5.0  # it is stopped meanwhile
        gone = await _journal_ends(log)
        await log.prune(gone)
        await log.append(records[2 * third :])
        running = asyncio.create_task(replica.run())
        try:
            async with asyncio.timeout(60.0):
                while await _cut(log, store) < sum(gone.values()) - sum(folded.values()):
                    assert not running.done(), running
                    await asyncio.sleep(0.05)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert await _cut(log, store) == sum(gone.values()) - sum(folded.values()) > 0
        await Replica(log, store, "one").catch_up()
        ends, stands = await _journal_ends(log), dict[TopicPartition, int]()
        async with store.reading() as connection:
            for shard in range(written.PARTITIONS):
                stands |= {
                    place: at for place, at in (await positions(connection, shard)).items() if place[0] == JOURNAL
                }
        assert stands == {place: end for place, end in ends.items() if end}


async def _cut(log: Log, store: Store) -> int:
    async with picture(store, log.clock.now()) as seen:
        return seen.freshness.cut


async def _journal_ends(log: Log) -> dict[TopicPartition, int]:
    return {place: span.end for place, span in (await log.spans([JOURNAL])).items()}


async def test_a_copy_of_the_tables_and_the_rest_of_the_log_are_as_good_as_all_of_it(tmp_path: Path) -> None:
    """A snapshot at any position: what is folded on from it ends where the whole does."""
    records = written.shuffled(written.lines_of(written.played(4)), 4)
    whole = await filled(records)
    first, copy = tmp_path / "first.db", tmp_path / "copy.db"
    async with opened(f"sqlite:///{first}") as (log, store):
        await written.make_topics(log, records)
        for start in range(0, len(records), len(records) // 4):
            await log.append(records[start : start + len(records) // 4])
            await Replica(log, store, "one").catch_up()
            shutil.copy(first, copy)
            rest = await _filled_from(copy, records[: start + len(records) // 4], records)
            assert rest == whole


async def _filled_from(tables: Path, folded: Sequence[NewRecord], records: Sequence[NewRecord]) -> str:
    """The hash after folding the rest, in a log of its own, into a copy of the tables of what was folded."""
    async with opened(f"sqlite:///{tables}") as (log, store):
        await written.make_topics(log, records)
        await log.append(folded)
        await log.append(records[len(folded) :])
        await Replica(log, store, "one").catch_up()
        return await hash_of(store)
