"""Writes a small log with a bit of everything, always the same; run as a script it renews the golden files.

Renew `sqlite-format-N.db` only when N is a new format: a golden file is what a user's disk still holds.
"""

import asyncio
import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import apsw

from farandole.engines.sqlite import opening, schema
from farandole.engines.sqlite.log import SqliteLog
from farandole.log.ports import Interest, Unit
from farandole.log.record import NewRecord, TopicSpec

HERE = Path(__file__).parent
NANOSECONDS = 1_700_000_000_123_456_000
"""The time at which everything in it was written, since the epoch."""
PAGE_SIZE = 1024
TOPICS = [
    TopicSpec("scene.received", 2),
    TopicSpec("scene.stacked"),
    TopicSpec("tiling/extract.inbox", 2),
    TopicSpec("tiling/extract.state", 2, compacted=True),
]
INTEREST = Interest("tiling/extract", "scene.received", inbox="tiling/extract.inbox", state="tiling/extract.state")
HEADERS = (("ce_specversion", b"1.0"), ("ce_source", b"ingest/receive"))
INPUTS = [
    NewRecord("scene.received", b'{"n":%d}' % n, b"s%d" % n, (*HEADERS, ("ce_id", b"%d" % n)), n % 2) for n in range(6)
]
ODD = [
    NewRecord("scene.stacked", None, None, ()),
    NewRecord("scene.stacked", b"\x00\xff", b"", (("twice", b""), ("twice", None), ("umlaut-ü", b"\xff"))),
]
ROWS = [
    NewRecord("tiling/extract.state", b"first", b"a", partition=0),
    NewRecord("tiling/extract.state", b"row", b"b", (("h", b"1"),), partition=0),
    NewRecord("tiling/extract.state", b"second", b"a", partition=0),
    NewRecord("tiling/extract.state", None, b"b", partition=0),
]
IDENTITY = b"source\x1fid"
POSITIONS = {"scene.received": 2, "tiling/extract.inbox": 0}


async def fill(log: SqliteLog) -> None:
    """Topics, records of every kind, rows, a deletion, positions, an identity."""
    await log.ensure(TOPICS)
    await log.append(INPUTS)
    await log.append(ODD)
    await log.append([NewRecord("scene.stacked", b"once", b"k")], identities=[IDENTITY])
    subscription = await log.subscribe(INTEREST)
    polled = await subscription.poll(limit=10, timeout=5)
    lease = min(polled.granted)
    await subscription.commit([Unit(lease, [NewRecord("scene.stacked", b"out", b"k"), *ROWS], POSITIONS)])
    await subscription.close()


def write_current(path: Path) -> None:
    """A log of the current format."""

    async def run() -> None:
        log = await SqliteLog.open(path)
        await fill(log)
        await log.close()

    def create(db: apsw.Connection) -> None:
        schema.create(db, page_size=PAGE_SIZE)

    with (
        patch("time.time_ns", return_value=NANOSECONDS),
        patch("time.time", return_value=NANOSECONDS / 1e9),
        patch.object(opening, "schema", _Schema(create)),
    ):
        asyncio.run(run())


def write_format_0(path: Path) -> None:
    """The same as it was before identities were remembered."""
    write_current(path)
    db = apsw.Connection(str(path))
    db.execute("DROP TABLE identity; UPDATE meta SET value = '0' WHERE name = 'format'; PRAGMA user_version = 0")
    db.close()


def settled(path: Path) -> None:
    """Make one file of it, as small as can be."""
    db = apsw.Connection(str(path))
    db.execute("PRAGMA journal_mode=DELETE; VACUUM")
    db.close()
    path.with_name(f"{path.name}-lock").unlink(missing_ok=True)


def dump(path: Path) -> dict[str, list[object]]:
    """Every table's definition, without comments, and rows; counters of handles and of who listens are left out."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    tables = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    found = {" ".join(re.sub(r"--.*", "", str(sql)).split()): _rows(db, str(name)) for name, sql in tables}
    db.close()
    return found


class _Schema:
    """The schema module with another `create`."""

    def __init__(self, create: object) -> None:
        self.create = create

    def __getattr__(self, name: str) -> object:
        return getattr(schema, name)


def _rows(db: apsw.Connection, table: str) -> list[object]:
    volatile = {"position": f"WHERE id <> {schema.REGISTRY}", "sqlite_sequence": "WHERE 0"}.get(table, "")
    return list(db.execute(f"SELECT * FROM {table} {volatile} ORDER BY 1").fetchall())


def main() -> None:
    """Write both files anew."""
    with TemporaryDirectory() as name:
        for number, write in ((0, write_format_0), (1, write_current)):
            path = Path(name) / f"{number}.db"
            write(path)
            settled(path)
            shutil.copyfile(path, HERE / f"sqlite-format-{number}.db")


if __name__ == "__main__":
    main()
