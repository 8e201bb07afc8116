"""The file's format: its tables, its version, and how a file of an older version becomes a current one.

A partition of a topic has a number of its own in the log, `tp`. Ids are built so that one integer finds a row:
of frames and latest records `tp << 40 | offset`, of positions and leases `group << 24 | tp`. Group 0 is the log
itself: its position in a partition is the partition's end. Times are microseconds since the epoch, UTC.
"""

import time
from pathlib import Path

import apsw

from farandole.engines.sqlite.database import scalar
from farandole.events.errors import LogFormatError

APPLICATION_ID = 0x46524E44
"""Marks the file as ours, for `file` and for us."""
FORMAT = 1
OFFSET_BITS = 40
TP_BITS = 24
PAGE_SIZE = 8192
REGISTRY = 0
"""Id of the position that counts changes of who listens to what."""

_IDENTITIES = """
CREATE TABLE identity (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    fingerprint BLOB NOT NULL,
    tp INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    time INTEGER NOT NULL
);
"""

TABLES = (
    """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE topic (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    partitions INTEGER NOT NULL,
    compacted INTEGER NOT NULL,
    first INTEGER NOT NULL  -- tp of its partition 0; the others follow
);
CREATE TABLE frame (  -- what one commit wrote to one partition of an ordinary topic
    id INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    time INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE latest (  -- the latest record per key of a compacted topic; value NULL: deleted
    id INTEGER PRIMARY KEY,
    tp INTEGER NOT NULL,
    key BLOB NOT NULL,
    time INTEGER NOT NULL,
    value BLOB,
    headers BLOB,
    UNIQUE (tp, key)
);
CREATE INDEX latest_deleted ON latest (time) WHERE value IS NULL;
CREATE TABLE grp (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE position (id INTEGER PRIMARY KEY, next INTEGER NOT NULL, time INTEGER NOT NULL);
CREATE TABLE lease (
    id INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    member INTEGER,
    revoking INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE handle (  -- an open handle; `beat` is its last sign of life, on the clock of its boot
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pid INTEGER NOT NULL,
    started INTEGER NOT NULL,
    space TEXT NOT NULL,
    boot TEXT NOT NULL,
    address BLOB NOT NULL,
    beat REAL NOT NULL,
    lease REAL NOT NULL
);
CREATE TABLE member (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    handle INTEGER NOT NULL,
    grp INTEGER NOT NULL,
    topic INTEGER NOT NULL,
    from_now INTEGER NOT NULL,
    name TEXT NOT NULL
);
CREATE TABLE listen (handle INTEGER NOT NULL, topic TEXT NOT NULL, PRIMARY KEY (handle, topic)) WITHOUT ROWID;
"""
    + _IDENTITIES
)

_STEPS = {0: _IDENTITIES}
"""What makes a file of that format one of the next."""


def frame_id(tp: int, offset: int) -> int:
    """Id of the frame or latest record that begins at this offset."""
    return tp << OFFSET_BITS | offset


def offset_of(row: int) -> int:
    """The offset in the id of a frame or latest record."""
    return row & ((1 << OFFSET_BITS) - 1)


def position_id(group: int, tp: int) -> int:
    """Id of a group's position and lease in a partition."""
    return group << TP_BITS | tp


def format_of(db: apsw.Connection, path: Path) -> int | None:
    """The file's format, None where it is still empty. Raises LogFormatError where it is not for us to read."""
    if scalar(db, "SELECT count(*) FROM sqlite_schema") == 0:
        return None
    if scalar(db, "PRAGMA application_id") != APPLICATION_ID:
        raise LogFormatError(f"{path} is a SQLite file, but not a log of Farandole; give another path")
    found = int(scalar(db, "PRAGMA user_version"))
    if found > FORMAT:
        raise LogFormatError(f"log {path} has format {found}, this version reads up to {FORMAT}: upgrade farandole "
                             "(pip install --upgrade farandole), or give another path")  # fmt: skip
    return found


def create(db: apsw.Connection, *, page_size: int = PAGE_SIZE) -> None:
    """Make an empty file a log of the current format."""
    db.execute(f"PRAGMA page_size={page_size}")
    db.execute("PRAGMA journal_mode=WAL")
    with db:
        db.execute(TABLES)
        db.execute("INSERT INTO position VALUES (?, 0, 0)", (REGISTRY,))
        db.execute("INSERT INTO meta VALUES ('created', ?)", (f"{time.time():.0f}",))
        _stamp(db, FORMAT)


def migrate(db: apsw.Connection, found: int) -> None:
    """Bring a file of format `found` to the current one, all or nothing; who calls has made a backup."""
    with db:
        for version in range(found, FORMAT):
            db.execute(_STEPS[version])
        _stamp(db, FORMAT)


def _stamp(db: apsw.Connection, version: int) -> None:
    db.execute(f"PRAGMA application_id={APPLICATION_ID}")
    db.execute(f"PRAGMA user_version={version}")
    db.execute("REPLACE INTO meta VALUES ('format', ?)", (str(version),))
