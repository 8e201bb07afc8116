"""From a URL to a `Store`; the two databases that it may be, and bringing their tables up to date."""

import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from farandole.config.model import STORE_PASSWORD, STORE_PASSWORD_FILE
from farandole.config.redact import redacted_url
from farandole.events.errors import ConfigError, LogFormatError
from farandole.files import read_secret

MEMORY = "memory:"
"""A store that ends with the process; what `--rebuild` folds into."""
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
_REMEDY = "give sqlite:///path, postgresql://user@host/database, or memory:"
_BUSY = 30.0  # seconds that a transaction on SQLite waits for another's end
_PATIENCE = 10.0  # seconds to reach a PostgreSQL


class Store:
    """The projections' database. Several processes may use one at once."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    @property
    def embedded(self) -> bool:
        """Whether it is SQLite."""
        return self.engine.dialect.name == "sqlite"

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: all of it is committed at its end, or nothing. Raises SQLAlchemyError."""
        async with self.engine.connect() as connection, connection.begin():
            if self.embedded:  # at once, for a transaction that read first cannot wait for another that writes
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """One consistent picture. Raises SQLAlchemyError."""
        async with self.engine.connect() as connection, connection.begin():
            if self.embedded:
                await connection.exec_driver_sql("BEGIN")
            else:
                await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            yield connection

    async def close(self) -> None:
        """Give back what it holds. Idempotent."""
        await self.engine.dispose()


def own_name() -> str:
    """Tells this process from others that use the same store."""
    return f"{socket.gethostname()}-{os.getpid()}"


async def open_store(url: str) -> Store:
    """A store with the tables of this version: made where there are none, migrated where they are older.

    The password of a PostgreSQL may stand in FARANDOLE_STORE_PASSWORD, or in the file that …_FILE names.
    Raises ConfigError for a URL that names none, or a database that cannot be reached; LogFormatError where its
    tables are of a newer version.
    """
    store = Store(_engine(url))
    try:
        async with store.writing() as connection:
            await connection.run_sync(_migrate)
    except (SQLAlchemyError, OSError) as error:
        await store.close()
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise ConfigError(f"store: {redacted_url(url)} cannot be used: {reason}; {_REMEDY}") from error
    except LogFormatError:
        await store.close()
        raise
    return store


def _engine(url: str) -> AsyncEngine:
    if url == MEMORY:
        engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
        event.listen(engine.sync_engine, "connect", _prepare)
        return engine
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(f"store: {redacted_url(url)} is no URL of a database; {_REMEDY}") from error
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        raise ConfigError(f"store: {parsed.drivername}: is not known; {_REMEDY}")
    parsed = parsed.set(drivername=driver)
    if driver.startswith("sqlite"):
        if not parsed.database:
            raise ConfigError(f"store: {redacted_url(url)} names no file; {_REMEDY}")
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_async_engine(parsed, connect_args={"timeout": _BUSY})
        event.listen(engine.sync_engine, "connect", _prepare)
        return engine
    return create_async_engine(_with_password(parsed), pool_pre_ping=True, connect_args={"timeout": _PATIENCE})


def _with_password(url: URL) -> URL:
    """With the password of the environment, or of a file that this names. Raises ConfigError where two are given."""
    given = [name for name in (STORE_PASSWORD, STORE_PASSWORD_FILE) if os.environ.get(name)]
    if not given:
        return url
    if len(given) > 1 or url.password is not None:
        first = "the store's URL has a password" if url.password is not None else f"{given[0]} is set"
        raise ConfigError(f"store: {first}, and {given[-1]} is set too; leave one of them out")
    (name,) = given
    said = os.environ[name]
    return url.set(password=said if name == STORE_PASSWORD else read_secret(Path(said).absolute(), name))


def _prepare(connection: Any, _: object) -> None:
    """Transactions begin where we say; a rollback journal, for the WAL of an older SQLite may corrupt (ADR 14)."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = TRUNCATE")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA cache_size = -16384")
    cursor.close()


def _migrate(connection: Connection) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)  # at info it tells of itself, whether it has anything to do
    with as_file(files("farandole_observe.store") / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        scripts = ScriptDirectory.from_config(config)
        there = _revision(connection)
        if there is not None and there not in {script.revision for script in scripts.walk_revisions()}:
            raise LogFormatError(
                f"store: its tables are of revision {there}, which this farandole-observe does not know; use the "
                "version that made them, or a newer one, or another store: projections can be folded again"
            )
        command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
