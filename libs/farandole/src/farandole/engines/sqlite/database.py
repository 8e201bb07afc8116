"""Connections to the log's file: which SQLite may be used, how it is set up, and what its errors mean."""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import apsw

from farandole.events.errors import ConfigError, LogError, LogFormatError, LogUnavailable

T = TypeVar("T")
Bindings = Sequence[int | float | bytes | str | None]

# Before it, two connections that restart the WAL at the same moment may corrupt the file.
# Source: https://sqlite.org/wal.html, "The WAL-reset bug".
OLDEST_SQLITE = (3, 51, 3)
SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")
PATIENCE = 10.0  # seconds for which a lock that is not ours (a shell, a recovery) is waited for
_WAL_KEPT = 64 * 1024 * 1024  # bytes that the WAL file keeps after a burst


def check_library() -> None:
    """Raise ConfigError where the SQLite that apsw carries is too old to be trusted with a log."""
    carried = apsw.sqlite_lib_version()
    if tuple(int(part) for part in carried.split(".")[:3]) < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        raise ConfigError(f"apsw carries SQLite {carried}, which may corrupt a shared log; at least {needed} is "
                          "needed: pip install --upgrade apsw")  # fmt: skip


def connect(path: Path, *, synchronous: str = "FULL", patience: float = PATIENCE) -> apsw.Connection:
    """A connection that writes; it never checkpoints by itself. The file must exist."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, statementcachesize=512)
    db.set_busy_timeout(int(patience * 1000))
    db.execute(f"PRAGMA synchronous={synchronous}")
    db.execute(f"PRAGMA journal_size_limit={_WAL_KEPT}")
    db.execute("PRAGMA temp_store=MEMORY")
    db.wal_autocheckpoint(0)
    return db


def connect_reader(path: Path) -> apsw.Connection:
    """A connection that only reads and never waits: who uses it retries when the file is busy."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, statementcachesize=128)
    db.set_busy_timeout(0)
    db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # that is the writer's to do, or not to do
    db.execute("PRAGMA query_only=ON")
    db.execute("PRAGMA temp_store=MEMORY")
    db.wal_autocheckpoint(0)
    return db


def scalar(db: apsw.Connection, statement: str, *bindings: int | float | bytes | str | None) -> Any:
    """The first column of the first row, or None."""
    row = db.execute(statement, bindings).fetchone()
    return None if row is None else row[0]


def rows(db: apsw.Connection, statement: str, bindings: Bindings = ()) -> list[Any]:
    """Every row, a tuple each; their types are those of the columns that the statement names."""
    return db.execute(statement, bindings).fetchall()


async def patiently(look: Callable[[], T]) -> T:
    """What `look` reads, tried again while the file is busy (another process recovers it): rare and short.

    Raises LogUnavailable.
    """
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            return look()
        except (apsw.BusyError, apsw.ProtocolError) as error:
            if time.monotonic() > give_up:
                raise unavailable(error) from error
        except apsw.Error as error:
            raise unavailable(error) from error
        await asyncio.sleep(0.02)


def is_final(error: apsw.Error) -> bool:
    """Whether nothing may be tried again after this error.

    After a failed fsync the kernel may call lost pages clean, so a repeated one proves nothing (Rebello et al.,
    "Can Applications Recover from fsync Failures?", USENIX ATC 2020). A full disk and a lock write nothing.
    """
    if isinstance(error, apsw.IOError):
        extended: int = getattr(error, "extendedresult", 0)  # the stubs do not know it
        return extended != apsw.SQLITE_IOERR_SHMSIZE  # how a full disk meets the shared index
    return not isinstance(error, (apsw.FullError, apsw.BusyError, apsw.ProtocolError))


def unavailable(error: apsw.Error) -> LogUnavailable:
    """The same in the words of the port."""
    if isinstance(error, apsw.FullError) or (isinstance(error, apsw.IOError) and not is_final(error)):
        return LogUnavailable(f"the disk of the log is full, nothing was written; free space and go on ({error})")
    if isinstance(error, (apsw.BusyError, apsw.ProtocolError)):
        return LogUnavailable(f"another program held the log's file for {PATIENCE:.0f} s ({error})")
    return LogUnavailable(f"the log's file failed: {type(error).__name__}: {error}; restart on a sound disk, "
                          "and look at the file with: farandole log check")  # fmt: skip


def opening(error: apsw.Error, path: Path) -> LogError:
    """What an error means that came while a file was opened."""
    if isinstance(error, (apsw.NotADBError, apsw.CorruptError)):
        return LogFormatError(f"log {path} is damaged or no SQLite file ({error}); restore a backup")
    return unavailable(error)
