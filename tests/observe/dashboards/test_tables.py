"""The dashboards' SQL on a real PostgreSQL, of tables that a projector has filled."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from tests.observe import written
from tests.observe.dashboards.asked import BOARDS, boards, filled, ours, targets, variables
from tests.observe.given import fill, opened
from tests.support.postgres import fresh_database

pytestmark = pytest.mark.slow
READER = "reader"


@pytest_asyncio.fixture
async def reader(server: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that may only read, as docs/observing.md makes one, to the tables of a history full of mishaps."""
    url = await fresh_database(server)
    async with opened(url) as (log, store):
        await fill(log, store, written.shuffled(written.lines_of(written.played(5)), 5))
    owner = await asyncpg.connect(url)
    await owner.execute(f"CREATE ROLE {READER} LOGIN; GRANT pg_read_all_data TO {READER}")
    connection = await asyncpg.connect(url.replace("farandole@", f"{READER}@"))
    try:
        yield connection
    finally:
        await connection.close()
        await owner.execute(f"DROP ROLE {READER}")
        await owner.close()


async def test_every_query_of_the_tables_is_answered_and_those_of_what_is_there_have_rows(
    reader: asyncpg.Connection,
) -> None:
    """For a workflow with a dead letter; a name that no SQL should meet does no harm."""
    dead = await reader.fetchrow("SELECT workflow, step FROM deliveries WHERE state = 'dead' LIMIT 1")
    service, _, step = dead["step"].partition("/")
    said = {"workflow": dead["workflow"], "service": service, "step": step}
    found = {}
    for name in BOARDS:
        for title, target in targets(boards(ours())[name]):
            if "rawSql" in target:
                found[name, title] = await reader.fetch(filled(target["rawSql"], said))
                hostile = dict.fromkeys(said, "x' OR '1'='1")
                if "sqlstring" in target["rawSql"]:
                    assert await reader.fetch(filled(target["rawSql"], hostile)) == [], title
    assert len(found) == 10
    empty = {key for key, rows in found.items() if not rows}
    no_groups = {("workflow", "Groups and joins"), ("letters", "Groups that lack members")}
    assert empty <= no_groups | {("letters", "Taken by nobody")}
    (one,) = found["workflow", "Workflow"]
    assert (one["workflow"], one["dead"] > 0) == (dead["workflow"], True)
    for variable in variables(boards(ours())["workflow"]):
        if variable["name"] == "service":
            (asked,) = await reader.fetch(filled(variable["query"], said))
            assert asked[0]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await reader.execute("DELETE FROM workflows")
