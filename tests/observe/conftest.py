"""The stores that tests of tables run on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import fresh_database, postgres


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A PostgreSQL; each test has a database of its own in it."""
    with postgres() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    return await fresh_database(request.getfixturevalue("server"))
