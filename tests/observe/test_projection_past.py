"""Snapshots and the past: a copy and the rest are as good as all of it, and `as_of` is the fold of a log cut there."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import farandole_observe
from farandole.engines.open import open_log
from farandole.events.errors import ConfigError, NotFound
from farandole.log.record import NewRecord
from farandole_observe.projection import snapshots
from farandole_observe.projection.declare import Projection
from farandole_observe.projection.folding import Folding
from farandole_observe.projection.looking import look
from farandole_observe.projection.making import rebuild
from farandole_observe.projection.owner import Owner
from farandole_observe.projection.past import as_of
from farandole_observe.store.canonical import canonical
from farandole_observe.store.opening import MEMORY, Store, open_store
from tests.observe.projections import (
    PARTITIONS,
    T0,
    HandClock,
    Pruned,
    Sold,
    all_of,
    commuting,
    fold_all,
    hash_of_rows,
    make_topics,
    memory_log,
    rows_of,
    sales,
    shop,
)


@asynccontextmanager
async def stage(url: str, seed: int | None = None) -> AsyncIterator[tuple[Any, HandClock, Store]]:
    """A log and a store."""
    async with memory_log(seed) as (log, clock):
        store = await open_store(url)
        try:
            yield log, clock, store
        finally:
            await store.close()


async def write(log: Any, clock: HandClock, rng: random.Random, records: list[NewRecord]) -> None:
    """So that some are taken at the same time, and some are not."""
    for one in records:
        clock.time += rng.choice([0.0, 0.0, 0.5, 1.0])
        await log.append([one])


async def fold_cut(projection: Projection[Any], records: list[tuple[float, NewRecord]], time: float) -> str:
    """The hash of the fold of a log that has only what was taken before a time."""
    async with stage(MEMORY) as (log, clock, store):
        for taken, one in records:
            if taken < time:
                clock.time = taken
                await log.append([one])
        return await fold_all(projection, log, store)


@pytest.mark.parametrize("projection", [shop(), commuting()], ids=["ordered", "commuting"])
@pytest.mark.parametrize("seed", range(2))
async def test_as_of_a_time_is_the_fold_of_a_log_cut_at_that_time(
    seed: int, projection: Projection[Any], url: str
) -> None:
    """At any time, with snapshots and without; nothing is written for it."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    async with stage(url, seed) as (log, clock, store):
        taken: list[tuple[float, NewRecord]] = []
        used = set()
        for _ in range(4):
            for one in sales(rng, 40):
                clock.time += rng.choice([0.0, 0.0, 0.5, 1.0])
                taken.append((clock.time, one))
                await log.append([one])
            await fold_all(projection, log, store)
            await snapshots.take(projection, store, clock.time)
        before = await rows_of(projection, store), (await look(projection, store)).standing
        times = [T0 - 1, clock.time + 1, *rng.sample([time for time, _ in taken], 6), taken[80][0], taken[120][0] + 0.1]
        for time in times:
            found = await as_of(projection, log, store, time)
            used.add(found.snapshot)
            assert hash_of_rows(projection, found.rows) == await fold_cut(projection, taken, time)
            assert found.missing == 0
        assert None in used
        assert len(used) > 2, "no snapshot was begun from"
        assert (await rows_of(projection, store), (await look(projection, store)).standing) == before


async def test_a_snapshot_and_the_rest_are_as_good_as_the_whole_log(url: str) -> None:
    """A rebuild begins from the latest one, or from the very beginning; the table is the same."""
    rng, projection = random.Random(11), shop()
    async with stage(url) as (log, clock, store):
        with pytest.raises(NotFound, match="never folded"):
            await snapshots.take(projection, store, clock.time)
        await write(log, clock, rng, sales(rng, 60))
        half = await fold_all(projection, log, store)
        with pytest.raises(NotFound, match="no snapshot of version 1"):
            await rebuild(projection, store, from_snapshot=True)
        assert hash_of_rows(projection, await rows_of(projection, store)) == half, "what failed has changed something"
        number, count = await snapshots.take(projection, store, clock.time)
        assert (number, count) == (1, len(await rows_of(projection, store)))
        unread = (await look(projection, store)).standing.unread
        await write(log, clock, rng, sales(rng, 60))
        whole = await fold_all(projection, log, store)
        all_unread = (await look(projection, store)).standing.unread
        assert await rebuild(projection, store, from_snapshot=True) == 1
        assert hash_of_rows(projection, await rows_of(projection, store)) == half
        assert (await look(projection, store)).standing.unread == unread
        assert await fold_all(projection, log, store) == whole
        assert await rebuild(projection, store) is None
        assert await rows_of(projection, store) == {}
        assert await fold_all(projection, log, store) == whole
        assert (await look(projection, store)).standing.unread == all_unread


async def test_old_snapshots_are_deleted_and_those_of_another_version_not_used(url: str) -> None:
    """As many are kept as were asked for; rows that another fold made would be a lie."""
    rng, projection = random.Random(12), shop()
    async with stage(url) as (log, clock, store):
        await write(log, clock, rng, sales(rng, 30))
        await fold_all(projection, log, store)
        for _ in range(5):
            await snapshots.take(projection, store, clock.time, kept=2)
        async with store.reading() as connection:
            assert [kept.number for kept in await snapshots.kept_of(connection, projection)] == [4, 5]
            for part in ("", "_positions", "_rows"):
                found = await connection.exec_driver_sql(
                    f"SELECT DISTINCT number FROM projection_snapshot{part or 's'}"
                )
                assert sorted(found.scalars()) == [4, 5]
        clock.time += 1
        assert (await as_of(projection, log, store, clock.time)).snapshot == 5
        later = shop(version=2, of=[Sold])
        assert (await as_of(later, log, store, clock.time)).snapshot is None
        with pytest.raises(ConfigError, match="is version 2 here, and its table version 1"):
            await snapshots.take(later, store, clock.time)


async def test_where_the_log_was_cut_the_answer_says_how_many_offsets_are_missing(url: str) -> None:
    """A snapshot that reaches behind the cut makes it whole; a time before it is never answered from it."""
    rng, projection = random.Random(13), shop()
    async with stage(url) as (log, clock, store):
        await write(log, clock, rng, sales(rng, 60))
        before = clock.time + 0.1
        clock.time += 1
        await write(log, clock, rng, sales(rng, 60))
        end = clock.time + 1
        whole = await as_of(projection, log, store, end)
        spans = await log.spans(projection.topics)
        start = 12
        assert all(span.end > start for span in spans.values())
        cut = Pruned(log, "item.sold", start)
        found = await as_of(projection, cut, store, end)
        assert found.missing == start * PARTITIONS
        assert found.rows != whole.rows
        await fold_all(projection, log, store)
        clock.time += 1
        await snapshots.take(projection, store, clock.time)
        mended = await as_of(projection, cut, store, clock.time)
        assert (mended.rows, mended.missing, mended.snapshot) == (whole.rows, 0, 1)
        early = await as_of(projection, cut, store, before)
        assert early.snapshot is None
        assert early.missing == start * PARTITIONS
        nothing = await as_of(projection, Pruned(log, "item.sold", 10**6), store, before)
        assert (nothing.rows, nothing.missing) == ({}, sum(span.end for span in spans.values()))


async def test_an_owner_that_comes_too_late_counts_what_was_gone_and_goes_on(url: str) -> None:
    """And so does what is begun from a snapshot of its table."""
    rng, projection = random.Random(14), shop()
    async with stage(url) as (log, clock, store):
        await write(log, clock, rng, sales(rng, 90))
        cut = Pruned(log, "item.sold", 9)
        late = await fold_all(projection, cut, store)
        assert (await look(projection, store)).standing.cut == 9 * PARTITIONS
        await fold_all(projection, cut, store)
        assert (await look(projection, store)).standing.cut == 9 * PARTITIONS, "it was counted twice"
        clock.time += 1
        await snapshots.take(projection, store, clock.time)
        clock.time += 1
        found = await as_of(projection, cut, store, clock.time)
        assert (hash_of_rows(projection, found.rows), found.missing, found.snapshot) == (late, 9 * PARTITIONS, 1)


async def test_the_tables_of_workflows_know_nothing_of_projections(url: str) -> None:
    """Their hash is the same, whatever users fold beside them."""
    async with stage(url) as (log, clock, store):
        async with store.reading() as connection:
            before = await canonical(connection)
        await write(log, clock, random.Random(1), sales(random.Random(1), 20))
        await fold_all(shop(), log, store)
        async with store.reading() as connection:
            assert await canonical(connection) == before


@pytest.mark.parametrize("seed", range(2))
async def test_a_snapshot_taken_while_others_fold_is_of_one_moment(seed: int, url: str) -> None:
    """Its rows are those of its positions, whoever commits before and after."""
    print(f"seed {seed}")
    rng, projection = random.Random(seed), shop()
    async with stage(url, seed) as (log, clock, store):
        await write(log, clock, rng, sales(rng, 20))
        await fold_all(projection, log, store)
        owner = Owner(projection, log, store, "one")

        async def fold() -> None:
            for _ in range(30):
                await log.append(sales(rng, 5))
                await owner.turn(0.001)

        async def copy() -> None:
            for _ in range(15):
                await asyncio.sleep(rng.random() / 50)
                await snapshots.take(projection, store, clock.time, kept=15)

        await asyncio.gather(fold(), copy())
        records = await all_of(log, projection.topics)
        async with store.reading() as connection:
            kept = await snapshots.kept_of(connection, projection)
            assert len({tuple(sorted(snapshot.positions.items())) for snapshot in kept}) > 2, "nothing was tested"
            for snapshot in kept:
                folding, expected = Folding(projection), dict[str, Any]()
                ends = {place: stands.next for place, stands in snapshot.positions.items()}
                folding.apply(expected, folding.sort([r for r in records if r.offset < ends.get(r.place[:2], 0)]))
                found = [page async for page in snapshots.pages(connection, projection, snapshot.number)]
                assert {key: row for page in found for key, row in page.items()} == expected


async def test_a_program_has_what_the_commands_have(tmp_path: Path) -> None:
    """On an embedded log: the rows now and then, a snapshot, and all of it anew."""
    projection, urls = shop(), {"log": f"sqlite:///{tmp_path}/log.db", "store": f"sqlite:///{tmp_path}/tables.db"}
    log = await open_log(urls["log"])
    await make_topics(log)
    await log.append(sales(random.Random(1), 40))
    async with farandole_observe.open_projection(projection, **urls) as opened:
        assert await opened.catch_up()
        early = (await opened.look()).rows
        number, count = await opened.snapshot()
        assert (number, count) == (1, len(early))
        between = datetime.fromtimestamp(log.clock.now() + 0.001, UTC)
        await asyncio.sleep(0.002)  # so that the log takes what follows later
        await log.append(sales(random.Random(2), 40))
        whole = await opened.as_of(log.clock.now() + 1)
        assert whole.rows != early
        for then in (between, between.replace(tzinfo=None), between.timestamp()):
            found = await opened.as_of(then)
            assert (found.rows, found.snapshot) == (early, 1)
        assert (await opened.look()).rows == early, "something was written"
        assert await opened.rebuild(from_snapshot=True) == (1, len(whole.rows))
        seen = await opened.look()
        assert seen.rows == whole.rows
        age = opened.age(seen)
        assert age is not None
        assert 0 <= age < 60
    await log.close()
