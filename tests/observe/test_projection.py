"""A projection's table is its fold's: whatever the slices, crashes, owners and databases by which it was filled."""

import asyncio
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select, text, update
from sqlalchemy.exc import OperationalError

from farandole.engines.open import open_log
from farandole.events.errors import ConfigError, Fenced, ProjectionStopped
from farandole.log.ports import Log
from farandole.log.record import NewRecord, TopicPartition
from farandole_observe.projection import keeping
from farandole_observe.projection import owner as owner_module
from farandole_observe.projection.keeping import Standing
from farandole_observe.projection.making import rebuild
from farandole_observe.projection.owner import HELD, Owner
from farandole_observe.store.opening import MEMORY, Store, open_store
from farandole_observe.store.tables import projections
from tests.observe.projections import (
    Sold,
    SoldLater,
    all_of,
    commuting,
    fold_all,
    hash_of_rows,
    in_order,
    is_strange,
    make_topics,
    memory_log,
    record,
    rows_of,
    sales,
    shop,
    table,
)


def by_hand(projection: Any, records: list[Any]) -> str:
    """What the functions make of records as the log holds them, without any of our code."""
    views: Any = {("item.sold", 1): Sold, ("item.sold", 2): SoldLater}
    rows: dict[str, Any] = {}
    for one in records:
        name, _, version = (dict(one.headers).get("ce_type") or b".v0").decode().rpartition(".v")
        view = views.get((name, int(version)))
        if view is None or b'"pieces"' not in one.value or b'"item":"-' in one.value:
            continue
        data = json.loads(one.value)
        found: Any = type("Found", (), {"event": view(**data), "time": one.time})
        rows[data["item"]] = in_order(rows.get(data["item"]), found)
    checked = {key: projection.columns.values_of(row) for key, row in rows.items() if row is not None}
    return hash_of_rows(projection, checked)


async def standing(store: Store, name: str = "shop") -> Standing:
    """What the store says of it."""
    async with store.reading() as connection:
        found = await keeping.standing(connection, name)
    assert found is not None
    return found


@pytest.mark.parametrize("engine", ["memory", "sqlite"])
async def test_the_table_is_what_the_functions_make_of_the_records(engine: str, url: str, tmp_path: Path) -> None:
    """Of every type of column, with deletions; what is no event is skipped and counted."""
    log = await open_log("memory:" if engine == "memory" else f"sqlite:///{tmp_path}/log.db")
    store = await open_store(url)
    try:
        await make_topics(log)
        records = sales(random.Random(7), 200)
        for one in records:  # one at a time, so that times tell the order across topics
            await log.append([one])
        projection = shop()
        found = await fold_all(projection, log, store)
        assert found == by_hand(projection, await all_of(log, ["item.sold"]))
        unread = sum(is_strange(one) for one in records if one.topic == "item.sold")
        assert unread
        assert (await standing(store)).unread == unread
        assert await fold_all(projection, log, store) == found, "a second look changed something"
    finally:
        await store.close()
        await log.close()


class Crashes:
    """Raises at random before a statement or a commit, as a process would die there."""

    def __init__(self, store: Store, rng: random.Random) -> None:
        self.number = 0
        self.chance = 0.04
        self._rng = rng
        event.listen(store.engine.sync_engine, "before_cursor_execute", self._maybe)
        event.listen(store.engine.sync_engine, "commit", self._maybe)

    def _maybe(self, *_: Any) -> None:
        if self._rng.random() < self.chance:
            self.number += 1
            raise OperationalError("planted", None, RuntimeError("the process died"))


@pytest.mark.parametrize("seed", range(4))
async def test_slices_crashes_restarts_and_rebuilds_end_in_the_same_table(seed: int, url: str) -> None:
    """Whatever the cuts of polls, at whatever statement an owner dies; positions and rows commit together."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    projection = shop()
    async with memory_log(seed) as (log, clock):
        store, whole = await open_store(url), await open_store(MEMORY)
        try:
            crashes = Crashes(store, rng)
            owner = Owner(projection, log, store, "one")
            records = sales(rng, 300)
            while records:
                cut = rng.randint(1, 25)
                await log.append(records[:cut])
                records = records[cut:]
                clock.time += rng.random()
                try:
                    for _ in range(rng.randint(0, 4)):
                        await owner.turn(0.001)
                    if rng.random() < 0.1:
                        await rebuild(projection, store)
                    if rng.random() < 0.3:
                        owner = Owner(projection, log, store, "one")  # its predecessor is gone without a word
                except (OperationalError, Fenced):
                    owner = Owner(projection, log, store, "one")
            assert crashes.number, "nothing was tested"
            crashes.chance = 0.0
            found, unread = await fold_all(projection, log, store), (await standing(store)).unread
            assert found == await fold_all(projection, log, whole)
            assert unread == (await standing(whole)).unread
            await rebuild(projection, store)
            assert await rows_of(projection, store) == {}
            assert await fold_all(projection, log, store) == found
        finally:
            await store.close()
            await whole.close()


async def test_of_two_owners_one_folds_and_who_was_overtaken_commits_nothing(url: str) -> None:
    """Others stand by, and take over when the owner was not heard of; its epoch fences it in the very transaction."""
    projection = shop()
    async with memory_log() as (log, clock):
        store = await open_store(url)
        try:
            one, other = Owner(projection, log, store, "one"), Owner(projection, log, store, "other")
            await log.append(sales(random.Random(1), 50))
            await one.turn(0.01)
            await other.turn(0.01)
            assert (one.owns, other.owns) == (True, False)
            clock.time += HELD / 2
            await one.turn(0.01)
            clock.time += HELD / 2 + 1
            await other.turn(0.01)
            assert not other.owns, "the owner was heard of half a lease ago"
            clock.time += HELD
            await other.turn(0.01)
            assert other.owns
            before = await rows_of(projection, store), await standing(store)
            await log.append(sales(random.Random(2), 50))
            one._renew = clock.time + 99  # it does not look whose turn it is; only its transaction can tell
            with pytest.raises(Fenced):
                await one.turn(0.01)
            assert (await rows_of(projection, store), await standing(store)) == before
            assert await other.catch_up()
            await other.close()
            assert (await standing(store)).owner == ""
            await one._start_again()
            assert await one.catch_up()
            await one.close()
            again = await open_store(MEMORY)
            found = hash_of_rows(projection, await rows_of(projection, store))
            assert found == await fold_all(projection, log, again)
            await again.close()
        finally:
            await store.close()


@pytest.mark.parametrize("seed", range(3))
async def test_owners_that_take_it_from_each_other_at_any_time_fold_each_record_once(seed: int, url: str) -> None:
    """Clocks that jump cost turns, never a record."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    projection = commuting()
    async with memory_log(seed) as (log, clock):
        store, whole = await open_store(url), await open_store(MEMORY)
        try:
            owners = [Owner(projection, log, store, name) for name in "abc"]
            fenced = 0

            async def work(owner: Owner) -> None:
                nonlocal fenced
                if owner.owns and rng.random() < 0.5:
                    owner._renew = clock.time + 99  # it was asleep, and does not know it
                clock.time += rng.choice([0.1, 1.0, HELD * 2])
                try:
                    await owner.turn(0.001)
                except Fenced:
                    fenced += 1
                    await owner._start_again()

            for _ in range(40):
                await log.append(sales(rng, 8))
                await asyncio.gather(*(work(owner) for owner in rng.sample(owners, rng.randint(1, 3))))
            assert fenced, "nothing was tested"
            clock.time += HELD * 2
            assert await fold_all(projection, log, store) == await fold_all(projection, log, whole)
        finally:
            await store.close()
            await whole.close()


@settings(max_examples=25, deadline=None)
@given(st.data())
async def test_a_fold_that_commutes_gives_one_table_for_every_interleaving_of_the_partitions(data: Any) -> None:
    """Keys that lie in all partitions, polled in any order and in any slices."""
    records = sales(random.Random(data.draw(st.integers(0, 99))), 40)
    hashes = set()
    for seed in data.draw(st.lists(st.integers(0, 2**32), min_size=2, max_size=2, unique=True)):
        async with memory_log(seed) as (log, clock):
            store = await open_store(MEMORY)
            lanes: dict[tuple[str, bytes | None], list[NewRecord]] = {}
            for one in records:
                lanes.setdefault((one.topic, one.key), []).append(one)
            rng, left = random.Random(seed), [lane for lane in lanes.values() if lane]
            owner = Owner(commuting(), log, store, "one")
            while left:
                lane = rng.choice(left)
                await log.append([lane.pop(0)])
                clock.time += rng.random()
                left = [lane for lane in left if lane]
                if rng.random() < 0.3:
                    await owner.turn(0.0)
            await owner.catch_up()
            hashes.add(hash_of_rows(commuting(), await rows_of(commuting(), store)))
            await store.close()
    assert len(hashes) == 1


async def test_another_version_is_folded_anew_and_the_same_one_declared_otherwise_is_refused(url: str) -> None:
    """The old table is dropped, whatever its name; no table that a projection did not make is touched."""
    async with memory_log() as (log, _):
        store = await open_store(url)
        try:
            await log.append(sales(random.Random(3), 60))
            await fold_all(shop(), log, store)
            with pytest.raises(ConfigError, match=r"raise version= to 2"):
                await fold_all(shop(of=[Sold]), log, store)
            with pytest.raises(ConfigError, match=r"raise version= to 2"):
                await fold_all(shop(table=table("others")), log, store)
            later = shop(version=2, of=[Sold], table=table("others"))
            found = await fold_all(later, log, store)
            other = await open_store(MEMORY)
            assert found == await fold_all(later, log, other)
            await other.close()
            async with store.writing() as connection:
                assert not (await connection.run_sync(lambda c: c.dialect.has_table(c, "items")))
                await connection.execute(text("CREATE TABLE items (mine TEXT)"))
            with pytest.raises(ConfigError, match="no projection made it"):
                await fold_all(shop(version=3), log, store)
            with pytest.raises(ConfigError, match="is projection 'shop''s"):
                await fold_all(shop(name="second", table=table("others")), log, store)
            assert (await standing(store)).version == 2
            assert hash_of_rows(later, await rows_of(later, store)) == found
        finally:
            await store.close()


async def test_a_function_that_fails_stops_its_projection_before_the_record_and_nothing_is_lost(url: str) -> None:
    """The error names projection, place and remedy; what stands before is committed; mended, it goes on."""
    mended = False

    def fold(row: Any, found: Any) -> Any:
        if found.event.order == "bad" and not mended:
            row["orders"].append("spoilt")  # what a function did before it failed counts for nothing
            raise LookupError("no such\0price")  # PostgreSQL keeps no such character
        return in_order(row, found)

    projection = shop(of=[Sold], fold=fold)
    async with memory_log() as (log, _):
        store, whole = await open_store(url), await open_store(MEMORY)
        try:
            for n, order in enumerate(["o1", "o2", "bad", "o3"]):
                await log.append([record(Sold(item="i1", order=order, pieces=1), n)])
            (place,) = {one.place[:2] for one in await all_of(log, ["item.sold"])}
            for _ in range(2):
                with pytest.raises(ProjectionStopped) as caught:
                    await fold_all(projection, log, store)
                said = str(caught.value)
                assert "projection 'shop'" in said
                assert f"{place[0]}/{place[1]}/2" in said
                assert "LookupError: no such price (" in said
                assert "version=" in said
                assert (await rows_of(projection, store))["i1"]["orders"] == ["o1", "o2"]
                assert (await standing(store)).stopped == said
            mended = True
            assert await fold_all(projection, log, store) == await fold_all(projection, log, whole)
            assert (await standing(store)).stopped == ""
        finally:
            await store.close()
            await whole.close()


ROW = {
    "orders": [], "pieces": 1, "events": 1, "mean": None, "turnover": None, "many": False,
    "latest": "now", "local": None, "day": None, "last": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pieces": "1"}, "column 'pieces' is a str, and the column holds a whole number"),
        ({"pieces": None}, "column 'pieces' is given None, and is not nullable"),
        ({"pieces": True}, "column 'pieces' is a bool"),
        ({"events": 2**31}, "column 'events' needs more than 32 bits"),
        ({"mean": float("nan")}, "column 'mean' is not finite"),
        ({"last": "x" * 41}, "column 'last' has 41 characters; the column holds 40"),
        ({"last": "a\0b"}, "column 'last' holds a zero character"),
        ({"last": "\ud800"}, "column 'last' "),
        ({"turnover": 10**10}, "column 'turnover' has more than 10 digits"),
        ({"orders": {1, 2}}, "column 'orders' "),
        ({"color": "red"}, "has color; give each column but the key"),
    ],
)
async def test_a_row_that_the_databases_would_not_give_back_alike_stops_it_too(change: Any, said: str) -> None:
    """Before any database sees it; the column is named."""
    projection = shop(
        of=[Sold], fold=lambda _, found: ROW | {"latest": datetime.fromtimestamp(found.time, UTC)} | change
    )
    async with memory_log() as (log, _):
        store = await open_store(MEMORY)
        await log.append([record(Sold(item="i1", order="o", pieces=1), 1)])
        with pytest.raises(ProjectionStopped, match="its fold failed with") as caught:
            await fold_all(projection, log, store)
        assert said in str(caught.value)
        await store.close()


async def test_what_is_slow_to_fold_is_committed_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a slow function does not cost the turn: each transaction renews it."""
    monkeypatch.setattr(owner_module, "_SLICE", 0.0)
    projection = commuting()
    async with memory_log() as (log, _):
        store, whole = await open_store(MEMORY), await open_store(MEMORY)
        await log.append([record(Sold(item=f"i{n}", order="o", pieces=1), n) for n in range(5)])
        owner = Owner(projection, log, store, "one")
        for n in range(1, 6):
            await owner.turn(0.01)
            assert (await rows_of(projection, store))["o"]["pieces"] == n
        assert await fold_all(projection, log, whole) == hash_of_rows(projection, await rows_of(projection, store))
        await store.close()
        await whole.close()


async def test_the_age_is_that_of_what_is_folded_also_while_events_never_cease() -> None:
    """What was there when the turn was last kept is folded by the time it is kept again."""
    async with memory_log() as (log, clock):
        store = await open_store(MEMORY)
        owner = Owner(shop(), log, store, "one")
        for n in range(12):
            await log.append([record(Sold(item="i1", order="o", pieces=1), n)])
            await owner.turn(0.0)
            await log.append([record(Sold(item="i2", order="o", pieces=1), n + 100)])
            clock.time += HELD / 3
            if n > 2:
                assert clock.time - (await standing(store)).seen <= HELD
        assert not owner._is_at(await log.spans(shop().topics)), "nothing was tested"
        await owner.close()
        await store.close()


async def test_a_store_that_was_folded_from_another_log_is_refused() -> None:
    """Or it would wait in silence until the log is as long as the other one was."""
    async with memory_log() as (log, _), memory_log() as (empty, _):
        store = await open_store(MEMORY)
        await log.append(sales(random.Random(3), 20))
        await fold_all(shop(), log, store)
        with pytest.raises(ConfigError, match="folded from another log"):
            await fold_all(shop(), empty, store)
        await rebuild(shop(), store)
        await fold_all(shop(), empty, store)
        assert await rows_of(shop(), store) == {}
        await store.close()


async def test_what_is_cut_while_an_owner_stands_still_is_said_and_the_rest_is_folded(tmp_path: Path) -> None:
    """It goes on where the log begins now, and ends neither by what it can read no more nor without a word of it."""
    async with memory_log() as (log, _):
        store = await open_store(f"sqlite:///{tmp_path}/tables.db")
        owner = Owner(shop(), log, store, "one")
        await log.append(sales(random.Random(1), 50))
        assert await owner.catch_up()
        folded = await _ends(log)
        await log.append(sales(random.Random(2), 50))
        gone = await _ends(log)
        await log.prune(gone)
        await log.append(sales(random.Random(3), 50))
        running = asyncio.create_task(owner.run())
        try:
            async with asyncio.timeout(60.0):
                while await _stands(store) != await _ends(log):
                    assert not running.done(), running
                    await asyncio.sleep(0.01)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert (await standing(store)).cut == sum(gone.values()) - sum(folded.values()) > 0
        await store.close()


async def _ends(log: Log) -> dict[TopicPartition, int]:
    return {place: span.end for place, span in (await log.spans(shop().topics)).items()}


async def _stands(store: Store) -> dict[TopicPartition, int]:
    async with store.reading() as connection:
        return {place: stands.next for place, stands in (await keeping.positions(connection, "shop")).items()}


async def test_two_records_of_two_projections_do_not_mix(url: str) -> None:
    """Several projections of one store have each its table, positions and turn."""
    async with memory_log() as (log, _):
        store = await open_store(url)
        try:
            await log.append(sales(random.Random(5), 40))
            await fold_all(shop(), log, store)
            await fold_all(commuting(), log, store)
            async with store.writing() as connection:
                names = (await connection.execute(select(projections.c.name))).scalars()
                assert sorted(names) == ["orders", "shop"]
                await connection.execute(update(projections).values(until=0.0))
            await rebuild(commuting(), store)
            assert await rows_of(shop(), store)
            assert not await rows_of(commuting(), store)
        finally:
            await store.close()
