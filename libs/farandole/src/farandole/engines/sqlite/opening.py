"""Opening the file: made where it is missing, migrated where it is old, refused where it is not for us."""

import asyncio
from pathlib import Path

import apsw

from farandole.engines.sqlite import schema
from farandole.engines.sqlite.clock import boot_id
from farandole.engines.sqlite.database import SYNCHRONOUS, check_library, connect, opening, scalar
from farandole.engines.sqlite.filesystem import prepare
from farandole.engines.sqlite.lock import FileLock
from farandole.engines.sqlite.maintain import backup
from farandole.engines.sqlite.process import Process, pid_space
from farandole.engines.sqlite.registry import find_dead
from farandole.engines.sqlite.watch import Noted, Watch
from farandole.events.errors import ConfigError, LogFormatError

_LOOK = 0.5  # seconds between two looks at who holds the lock


def lock_path(path: Path) -> Path:
    """The side file on which writers queue."""
    return path.with_name(f"{path.name}-lock")


def check_settings(lease: float, synchronous: str) -> None:
    """Raise ConfigError where a setting is out of range, or the SQLite at hand too old."""
    check_library()
    if not 0.1 <= lease <= 3600:
        raise ConfigError(f"lease={lease}: give 0.1 to 3600 seconds")
    if synchronous not in SYNCHRONOUS:
        raise ConfigError(f"synchronous={synchronous!r}: give one of {', '.join(SYNCHRONOUS)}")


async def open_file(path: Path, process: Process, noted: Noted) -> Path:
    """The real path of a log of the current format. Raises ConfigError, LogFormatError, LogUnavailable."""
    real = await asyncio.to_thread(prepare, path)
    if await asyncio.to_thread(_is_ready, real):
        return real
    lock = FileLock(lock_path(real), process)
    watch = Watch(lock, noted)
    work = asyncio.ensure_future(asyncio.to_thread(_make_ready, real, lock, noted))
    try:
        while not (await asyncio.wait([work], timeout=_LOOK))[0]:
            watch.check()
        work.result()
    finally:
        lock.close()
    return real


def _is_ready(path: Path) -> bool:
    try:
        db = connect(path)
        try:
            current = schema.format_of(db, path) == schema.FORMAT
            return current and scalar(db, "PRAGMA journal_mode") == "wal"
        finally:
            db.close()
    except apsw.Error as error:
        raise opening(error, path) from error


def _make_ready(path: Path, lock: FileLock, noted: Noted) -> None:
    lock.acquire()
    try:
        db = connect(path)
        try:
            _bring_up(db, path, noted)
        finally:
            db.close()
    except apsw.Error as error:
        raise opening(error, path) from error
    finally:
        lock.release()


def _bring_up(db: apsw.Connection, path: Path, noted: Noted) -> None:
    found = schema.format_of(db, path)
    if found is None:
        schema.create(db)
        return
    if found < schema.FORMAT:
        _check_unused(db, path, found)
        copy = _free_name(path, found)
        backup(path, copy)
        schema.migrate(db, found)
        noted("the log was migrated", was=found, now=schema.FORMAT, backup=str(copy))
    db.execute("PRAGMA journal_mode=WAL")  # a restored backup is in no WAL mode


def _check_unused(db: apsw.Connection, path: Path, found: int) -> None:
    dead, _ = find_dead(db, None, pid_space(), boot_id())
    if scalar(db, "SELECT count(*) FROM handle") > len(dead):
        raise LogFormatError(f"log {path} has format {found} and is in use by an older version of farandole; "
                             "stop its services, then open it again")  # fmt: skip


def _free_name(path: Path, version: int) -> Path:
    number = 1
    while (copy := path.with_name(f"{path.name}.v{version}-backup-{number}")).exists():
        number += 1
    return copy
