"""The store: its migrations make the tables that the code knows, and what cannot be used is refused with the remedy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from farandole.events.errors import ConfigError, LogFormatError
from farandole_observe.projector.replica import Replica
from farandole_observe.store import shards, tables
from farandole_observe.store.durations import ERROR, bucket, percentile, stands_for
from farandole_observe.store.opening import open_store
from tests.observe import written
from tests.observe.given import fill, full_group, hash_folded, hash_of, opened
from tests.support.postgres import postgres


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('store') / 'tables.db'}"
        return
    with postgres() as found:
        yield found


async def test_migrations_make_the_tables_that_the_code_knows(url: str) -> None:
    """And a second opening finds nothing to do."""
    for _ in range(2):
        store = await open_store(url)
        try:
            async with store.reading() as connection:
                assert await connection.run_sync(_differences) == []
        finally:
            await store.close()


def _differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), tables.metadata))


async def test_what_full_groups_owe_is_added_to_tables_that_did_not_hold_it(tmp_path: Path) -> None:
    """Those of revision 0003 are, once they are opened and folded on, as if they were folded anew."""
    dance, _, _ = full_group()
    url = f"sqlite:///{tmp_path}/tables.db"
    async with opened(url) as (log, store):
        await fill(log, store, written.shuffled(written.lines_of(dance), 1))
        async with store.writing() as connection:
            await connection.execute(text("DELETE FROM deliveries WHERE NOT told AND \"group\" <> ''"))
            await connection.execute(text("UPDATE alembic_version SET version_num = '0003'"))
        expected = await hash_folded(log)
        assert await hash_of(store) != expected
        again = await open_store(url)
        try:
            await Replica(log, again, "one").catch_up()
            assert await hash_of(again) == expected
        finally:
            await again.close()


async def test_a_shard_is_anothers_only_when_its_time_is_over_and_its_epoch_fences(url: str) -> None:
    """Whoever was overtaken can hold nothing any more."""
    store = await open_store(url)
    try:
        async with store.writing() as connection:
            first = await shards.claim(connection, 7, "a", now=100.0, until=110.0)
            assert first is not None
            assert await shards.claim(connection, 7, "b", now=109.0, until=119.0) is None
            again = await shards.claim(connection, 7, "a", now=109.0, until=119.0)
            assert again is not None
            assert again.epoch == first.epoch + 1
            assert not await shards.hold(connection, first, until=130.0)
            assert await shards.hold(connection, again, until=120.0)
            other = await shards.claim(connection, 7, "b", now=121.0, until=131.0)
            assert other is not None
            assert not await shards.hold(connection, again, until=140.0)
            await shards.let_go(connection, other)
            assert await shards.owners(connection, 121.0) == {}
    finally:
        await store.close()


async def test_tables_of_a_newer_version_are_refused_and_left_alone(tmp_path: Path) -> None:
    """What an older program does not know, it must not touch."""
    url = f"sqlite:///{tmp_path}/tables.db"
    store = await open_store(url)
    async with store.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await store.close()
    with pytest.raises(LogFormatError, match="revision 9999"):
        await open_store(url)


@pytest.mark.parametrize(
    "url",
    ["", "tables.db", "mysql://host/db", "sqlite://", "postgresql://farandole@127.0.0.1:1/nowhere"],
)
async def test_a_store_that_cannot_be_used_is_refused_with_what_would_do(url: str) -> None:
    """One line, without a password."""
    with pytest.raises(ConfigError, match="postgresql://user@host/database"):
        await open_store(url)


async def test_the_password_of_a_store_may_stand_in_the_environment_or_in_a_file_that_it_names(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The URL then has none; the server is given what was said."""
    file = tmp_path / "password"
    file.write_text("of the file\n")
    for name, value, expected in (("", "of the variable", "of the variable"), ("_FILE", str(file), "of the file")):
        with monkeypatch.context() as context:
            context.setenv(f"FARANDOLE_STORE_PASSWORD{name}", value)
            store = await open_store(server)
            try:
                assert store.engine.url.password == expected
            finally:
                await store.close()


@pytest.mark.parametrize(
    ("url", "said", "told"),
    [
        ("postgresql://u:p@127.0.0.1:1/d", {"PASSWORD": "x"}, "URL has a password"),
        ("postgresql://u@127.0.0.1:1/d", {"PASSWORD": "x", "PASSWORD_FILE": "/y"}, "PASSWORD is set, and"),
        ("postgresql://u@127.0.0.1:1/d", {"PASSWORD_FILE": "/not/there"}, "STORE_PASSWORD_FILE: /not/there"),
    ],
)
async def test_two_passwords_of_a_store_or_a_file_that_is_not_there_are_refused(
    url: str, said: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the name of what is wrong."""
    for name, value in said.items():
        monkeypatch.setenv(f"FARANDOLE_STORE_{name}", value)
    with pytest.raises(ConfigError, match=told):
        await open_store(url)


@pytest.mark.parametrize("seconds", [1e-6, 0.00035, 0.01, 1.0, 59.0, 86_400.0, 1e9])
def test_a_duration_lies_within_the_error_of_what_stands_for_its_bucket(seconds: float) -> None:
    """Over fifteen orders of magnitude."""
    assert stands_for(bucket(seconds)) == pytest.approx(seconds, rel=ERROR * 1.001)


def test_a_percentile_is_that_of_the_durations_counted() -> None:
    """To the error of the buckets; of nothing there is none."""
    counts: dict[int, int] = {}
    for n in range(1, 1001):
        counts[bucket(n / 100)] = counts.get(bucket(n / 100), 0) + 1
    assert percentile(counts, 0.5) == pytest.approx(5.0, rel=2 * ERROR)
    assert percentile(counts, 0.99) == pytest.approx(9.9, rel=2 * ERROR)
    assert percentile({}, 0.5) is None
