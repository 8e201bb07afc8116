"""Looking after a log's file while it is in use: a consistent copy of it, and whether it is sound."""

import os
import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw

from farandole.engines.sqlite import schema
from farandole.engines.sqlite.catalog import Topic, read_topics
from farandole.engines.sqlite.database import connect, connect_reader, opening, rows, scalar
from farandole.engines.sqlite.frames import decode, decode_headers
from farandole.engines.sqlite.pruning import stated_begins
from farandole.events.errors import BadInput, FarandoleError, LogFormatError
from farandole.files import sync

_SECOND = 1e6
_OFFSET = (1 << schema.OFFSET_BITS) - 1
_TP = (1 << schema.TP_BITS) - 1


def backup(path: Path, target: Path) -> None:
    """Copy the log as it is at one moment, its users undisturbed; `target` appears complete and durable, or not.

    Raises BadInput where there is no log or `target` exists, LogFormatError where the file is none of ours,
    LogUnavailable where it cannot be read or the copy not be written.
    """
    _check_exists(path)
    if target.exists():
        raise BadInput(f"backup {target} exists; give another path")
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with closing(connect(path)) as db:
            if schema.format_of(db, path) is None:
                raise BadInput(f"{path} is empty; there is nothing to copy")
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            db.execute("VACUUM INTO ?", (str(part),))
        sync(part)
        os.link(part, target)  # unlike a rename it does not replace what came meanwhile
        sync(target.parent)
    except apsw.Error as error:
        raise opening(error, path) from error
    except OSError as error:
        raise BadInput(f"backup {target}: {error.strerror}; give another path") from error
    finally:
        part.unlink(missing_ok=True)


def check(path: Path) -> list[str]:
    """What is wrong with a log, one line each; nothing where it is sound. It may be in use meanwhile.

    Raises BadInput where there is no file, LogFormatError where it is not a log that this version reads.
    """
    _check_exists(path)
    try:
        with closing(connect_reader(path)) as db:
            found = schema.format_of(db, path)
            if found != schema.FORMAT:
                raise LogFormatError(f"log {path} has format {found}; open it once with this version, then check it")
            db.execute("BEGIN")  # all that follows sees one moment
            return list(_findings(db))
    except (apsw.CorruptError, apsw.NotADBError) as error:
        return [f"the file is damaged: {error}"]
    except apsw.Error as error:
        raise opening(error, path) from error


def _findings(db: apsw.Connection) -> Iterator[str]:
    damage = [text for (text,) in rows(db, "PRAGMA integrity_check(20)") if text != "ok"]
    if damage:
        yield from (f"the file is damaged: {text}" for text in damage)
        return
    stated = scalar(db, "SELECT value FROM meta WHERE name = 'format'")
    if stated != str(schema.FORMAT):
        yield f"the file states format {stated} in one place and {schema.FORMAT} in another"
    topics = read_topics(db)
    ends: dict[int, int] = dict(rows(db, "SELECT id, next FROM position WHERE id <= ?", (_TP,)))
    for topic in topics:
        for partition in range(topic.partitions):
            end = ends.get(topic.tp(partition))
            if end is None:
                yield f"topic {topic.name!r}, partition {partition}: it has no end"
            elif topic.compacted:
                yield from _compacted(db, topic, partition, end)
            else:
                yield from _frames(db, topic, partition, end)
    yield from _strays(db, topics)
    yield from _positions(db, topics, ends)


def _frames(db: apsw.Connection, topic: Topic, partition: int, end: int) -> Iterator[str]:
    """Frames follow each other without a gap up to the end, decode, and their times do not fall."""
    where = f"topic {topic.name!r}, partition {partition}"
    expected, latest = stated_begins(db).get(topic.tp(partition), 0), 0
    for id, count, time, body in db.execute("SELECT id, count, time, body FROM frame WHERE id >= ? AND id < ? "
                                            "ORDER BY id", _bounds(topic, partition)):  # fmt: skip
        offset = schema.offset_of(id)
        if offset != expected:
            yield f"{where}: a frame begins at offset {offset}, not at {expected}"
        if time < latest:
            yield f"{where}: time falls at offset {offset}"
        yield from _decodes(body, topic, partition, offset, count)
        expected, latest = offset + count, time
    if expected != end:
        yield f"{where}: its frames end at {expected}, its end is {end}"


def _decodes(body: bytes, topic: Topic, partition: int, offset: int, count: int) -> Iterator[str]:
    try:
        found = len(decode(body, topic.name, partition, offset, 0.0))
    except FarandoleError as error:
        yield str(error)
        return
    if found != count:
        yield f"topic {topic.name!r}, partition {partition}: {found} records at offset {offset}, not {count}"


def _compacted(db: apsw.Connection, topic: Topic, partition: int, end: int) -> Iterator[str]:
    """One record per key, each in this partition and before its end."""
    where = f"topic {topic.name!r}, partition {partition}"
    seen: set[bytes] = set()
    for id, tp, key, headers in db.execute("SELECT id, tp, key, headers FROM latest WHERE id >= ? AND id < ?",
                                           _bounds(topic, partition)):  # fmt: skip
        offset = schema.offset_of(id)
        if key in seen:
            yield f"{where}: key {key!r} stands twice"
        seen.add(key)
        if tp != topic.tp(partition) or offset >= end:
            yield f"{where}: the record at offset {offset} is not where it belongs"
        try:
            decode_headers(headers)
        except FarandoleError as error:
            yield f"{where}: offset {offset}: {error}"


def _strays(db: apsw.Connection, topics: list[Topic]) -> Iterator[str]:
    """No frame of a compacted topic, no latest record of an ordinary one, none of no topic."""
    for table, compacted in (("frame", False), ("latest", True)):
        own = {topic.tp(n) for topic in topics if topic.compacted is compacted for n in range(topic.partitions)}
        there = {tp for (tp,) in rows(db, f"SELECT DISTINCT id >> {schema.OFFSET_BITS} FROM {table}")}
        yield from (f"table {table}: records of partition number {tp}, which has none there" for tp in there - own)


def _positions(db: apsw.Connection, topics: list[Topic], ends: dict[int, int]) -> Iterator[str]:
    """No group stands beyond an end; nobody holds a lease who is no member, nobody is a member who is no handle."""
    names = {topic.tp(n): f"{topic.name!r}/{n}" for topic in topics for n in range(topic.partitions)}
    for id, offset in rows(db, "SELECT id, next FROM position WHERE id > ?", (_TP,)):
        end = ends.get(id & _TP)
        if end is None or offset > end:
            yield f"group {id >> schema.TP_BITS}: position {offset} in {names.get(id & _TP)} lies beyond its end {end}"
    homeless = scalar(db, "SELECT count(*) FROM member WHERE handle NOT IN (SELECT id FROM handle)")
    if homeless:
        yield f"{homeless} members belong to no process that is known"
    orphans = scalar(
        db, "SELECT count(*) FROM lease WHERE member IS NOT NULL AND member NOT IN (SELECT id FROM member)"
    )
    if orphans:
        yield f"{orphans} leases are held by nobody that is known"


def _bounds(topic: Topic, partition: int) -> tuple[int, int]:
    tp = topic.tp(partition)
    return schema.frame_id(tp, 0), schema.frame_id(tp + 1, 0)


def _check_exists(path: Path) -> None:
    if not path.is_file():
        raise BadInput(f"there is no log at {path}")
