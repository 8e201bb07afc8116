"""Files of every format that ever was open, or are refused with the remedy; nothing is lost on the way."""

import asyncio
import os
import shutil
from pathlib import Path

import apsw
import pytest

from farandole.engines.sqlite import maintain, schema
from farandole.engines.sqlite.database import check_library
from farandole.engines.sqlite.log import SqliteLog
from farandole.events.errors import ConfigError, IdConflict, LogFormatError, LogUnavailable
from farandole.log.record import NewRecord, Place, Record
from libs.farandole.tests.golden.make_sqlite import (
    HERE,
    IDENTITY,
    INPUTS,
    INTEREST,
    NANOSECONDS,
    ODD,
    POSITIONS,
    TOPICS,
    dump,
    write_current,
)
from libs.farandole.tests.unit.engines.sqlite.support import Notes, everything, numbered, opened, values

FORMATS = range(schema.FORMAT + 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a log may be."""
    return tmp_path / "log.db"


def golden(version: int, path: Path) -> Path:
    """A copy of a golden file."""
    shutil.copyfile(HERE / f"sqlite-format-{version}.db", path)
    return path


def content_of(path: Path) -> bytes:
    """What stands in a file."""
    return path.read_bytes()


def filled(path: Path, content: bytes) -> None:
    """A file of this content."""
    path.write_bytes(content)


def change(path: Path, statement: str) -> None:
    """Do something to a file."""
    db = apsw.Connection(str(path))
    db.execute(statement)
    db.close()


@pytest.mark.parametrize("version", FORMATS)
async def test_a_file_of_every_format_reads_as_it_was_written(version: int, path: Path) -> None:
    """Topics, records with all their parts, rows, positions, epochs; and it goes on from there."""
    async with opened(golden(version, path)) as log:
        assert await log.topics() == sorted(TOPICS)
        time = NANOSECONDS / 1e9
        read = [record for record in await everything(log, "scene.received") if record.partition == 0]
        wanted = [(n // 2, new) for n, new in enumerate(INPUTS) if new.partition == 0]
        assert read == [Record(new.topic, 0, at, time, new.key, new.value, new.headers) for at, new in wanted]
        stacked = await everything(log, "scene.stacked")
        assert [_kvh(record) for record in stacked[:2]] == [_kvh(record) for record in ODD]
        assert [record.value for record in stacked] == [None, b"\x00\xff", b"once", b"out"]
        assert await log.committed("tiling/extract") == {(topic, 0): n for topic, n in POSITIONS.items()}
        subscription = await log.subscribe(INTEREST)
        granted = (await subscription.poll(limit=9, timeout=5)).granted
        assert [lease.epoch for lease in granted] == [2, 2]
        rows = await subscription.restore(min(granted))
        assert [(row.key, row.value, row.offset) for row in rows] == [(b"a", b"second", 2)]
        assert await log.append([NewRecord("scene.stacked", b"new")]) == [Place("scene.stacked", 0, 4)]
    assert maintain.check(path) == []


async def test_what_was_remembered_is_remembered(path: Path) -> None:
    """An identity of a former version still keeps its place."""
    async with opened(golden(1, path)) as log:
        again = NewRecord("scene.stacked", b"once", b"k")
        assert await log.append([again], identities=[IDENTITY]) == [Place("scene.stacked", 0, 2)]
        with pytest.raises(IdConflict):
            await log.append([again._replace(value=b"other")], identities=[IDENTITY])


def test_what_is_written_today_is_the_golden_format(path: Path) -> None:
    """A change of what stands in a file needs a new format, and a golden file of it."""
    write_current(path)
    assert dump(path) == dump(HERE / f"sqlite-format-{schema.FORMAT}.db")


async def test_a_migration_makes_a_backup_first(path: Path) -> None:
    """Named after the format, under the first free number, equal to the file before; it is noted."""
    golden(0, path)
    before = dump(path)
    (path.parent / "log.db.v0-backup-1").write_bytes(b"of an earlier attempt")
    notes = Notes()
    async with opened(path, noted=notes):
        pass
    assert dump(path.parent / "log.db.v0-backup-2") == before
    assert (path.parent / "log.db.v0-backup-1").read_bytes() == b"of an earlier attempt"
    assert notes.events == ["the log was migrated"]
    async with opened(path, noted=notes):  # current by now: no further backup
        pass
    assert sorted(os.listdir(path.parent)) == ["log.db", "log.db-lock", "log.db.v0-backup-1", "log.db.v0-backup-2"]


async def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All or nothing; the next attempt succeeds."""
    before = dump(golden(0, path))
    with monkeypatch.context() as patched:
        patched.setitem(schema._STEPS, 0, schema._STEPS[0] + "SELECT no_such_function();")
        with pytest.raises(LogUnavailable):
            await SqliteLog.open(path)
    assert dump(path) == before
    async with opened(path) as log:
        assert len(await log.topics()) == 4


async def test_two_who_open_an_old_file_migrate_it_once(path: Path) -> None:
    """The second waits for the first and finds it done."""
    golden(0, path)
    logs = await asyncio.gather(*(SqliteLog.open(path) for _ in range(3)))
    for log in logs:
        assert len(await log.topics()) == 4
        await log.close()
    assert [name for name in os.listdir(path.parent) if "backup" in name] == ["log.db.v0-backup-1"]


async def test_an_old_file_in_use_is_not_migrated(path: Path) -> None:
    """A service of the older version would go on writing the old format; its remains do not count."""
    golden(0, path)
    async with opened(golden(1, path.with_name("other.db"))) as other:
        await other.subscribe(INTEREST)
        db = apsw.Connection(str(other.path))
        (row,) = db.execute("SELECT pid, started, space, boot, address, beat, lease FROM handle").fetchall()
        db.close()
    old = apsw.Connection(str(path))
    insert = "INSERT INTO handle (pid, started, space, boot, address, beat, lease) VALUES (?, ?, ?, ?, ?, ?, ?)"
    old.execute(insert, row)
    with pytest.raises(LogFormatError, match=r"format 0 and is in use by an older version.*stop its services"):
        await SqliteLog.open(path)
    old.execute("UPDATE handle SET beat = beat - 1000")
    old.close()
    async with opened(path):
        pass


async def test_a_newer_file_is_refused(path: Path) -> None:
    """With the remedy; untouched."""
    change(golden(1, path), f"PRAGMA user_version = {schema.FORMAT + 1}")
    content = content_of(path)
    with pytest.raises(LogFormatError, match=r"has format 2, this version reads up to 1: upgrade farandole"):
        await SqliteLog.open(path)
    assert content_of(path) == content


@pytest.mark.parametrize("content", [b"x" * 5000, b"SQLite format 3\x00" + b"y" * 5000])
async def test_what_is_no_sqlite_file_is_refused(path: Path, content: bytes) -> None:
    """Not overwritten either."""
    filled(path, content)
    with pytest.raises(LogFormatError, match="damaged or no SQLite file"):
        await SqliteLog.open(path)
    assert content_of(path) == content


async def test_another_programs_file_is_refused(path: Path) -> None:
    """Though it is SQLite."""
    change(path, "CREATE TABLE theirs (x)")
    with pytest.raises(LogFormatError, match="not a log of Farandole"):
        await SqliteLog.open(path)


async def test_a_restored_backup_opens(path: Path) -> None:
    """A copy is in no WAL mode; it is put into it, for writers and readers must not block each other."""
    async with opened(path, TOPICS[1]) as log:
        await log.append(numbered(5, "scene.stacked"))
        await asyncio.to_thread(maintain.backup, path, path.with_name("copy.db"))
    async with opened(path.with_name("copy.db")) as copy:
        assert values(await everything(copy, "scene.stacked")) == [0, 1, 2, 3, 4]
        db = apsw.Connection(str(copy.path))
        assert db.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
        db.close()


async def test_an_old_sqlite_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 3.51.3 several writers may corrupt the file; the remedy is said, nothing is made."""
    for version, sound in (("3.51.2", False), ("3.7.0", False), ("3.51.3", True), ("3.60.0", True)):
        monkeypatch.setattr(apsw, "sqlite_lib_version", lambda version=version: version)
        if sound:
            check_library()
            continue
        with pytest.raises(ConfigError, match=rf"SQLite {version}.*at least 3\.51\.3.*pip install --upgrade apsw"):
            await SqliteLog.open(path)
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("setting", [{"lease": 0.0}, {"lease": float("nan")}, {"synchronous": "full"}])
async def test_a_setting_that_cannot_be_is_refused(path: Path, setting: dict[str, float]) -> None:
    """Named, with what it may be."""
    (name,) = setting
    with pytest.raises(ConfigError, match=f"{name}=.*give"):
        await SqliteLog.open(path, **setting)  # type: ignore[arg-type]


async def test_a_wrong_fault_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a test would believe that it crashed something."""
    for text in ("nowhere:1", "after-commit", "after-commit:x", "after-commit:1:HUP"):
        monkeypatch.setenv("FARANDOLE_FAULT", text)
        with pytest.raises(ConfigError, match="give point:n"):
            await SqliteLog.open(path)


def _kvh(record: NewRecord | Record) -> tuple[bytes | None, bytes | None, object]:
    return record.key, record.value, record.headers
