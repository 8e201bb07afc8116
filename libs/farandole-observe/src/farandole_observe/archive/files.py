"""Records that left the log, in Parquet files: `topic/partition/START-END.parquet`, each a range of offsets.

Columns: `offset`; `time` in seconds since the epoch, UTC, as the log had it; `key` and `value` as bytes; `headers`, a
list of name and value as bytes. A range holds every record whose offset is in it; an offset without one never had any.
"""

import os
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from farandole.events.errors import LogFormatError, LogUnavailable
from farandole.files import sync
from farandole.log.record import Record, Span, TopicPartition

SCHEMA = pa.schema(
    [
        ("offset", pa.int64()),
        ("time", pa.float64()),
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("headers", pa.list_(pa.struct([("name", pa.binary()), ("value", pa.binary())]))),
    ]
)
_NAME = re.compile(r"(\d{20})-(\d{20})\.parquet")
_BATCH = 5_000  # records that are made at once


class Range(NamedTuple):
    """One file: what the log held from `start` to before `end`."""

    start: int
    end: int
    path: Path


class Archive:
    """The files below one folder. Written by one process at a time, read by any number."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ranges(self, place: TopicPartition) -> list[Range]:
        """The files of a partition, each beginning where the one before ends. Raises LogFormatError."""
        found = []
        for path in sorted(self._of(place).glob("*.parquet")):
            name = _NAME.fullmatch(path.name)
            if name is None:
                raise LogFormatError(f"{path} is no file of an archive; remove it, or name another folder")
            found.append(Range(int(name[1]), int(name[2]), path))
        for before, after in pairwise(found):
            if before.end != after.start:
                raise LogFormatError(f"{after.path} does not go on where the file before it ends, at {before.end}")
        return found

    def span(self, place: TopicPartition) -> Span | None:
        """The offsets that are here; None where nothing is."""
        found = self.ranges(place)
        return Span(found[0].start, found[-1].end) if found else None

    def write(self, place: TopicPartition, span: Span, records: Sequence[Record]) -> Path:
        """Keep what the log holds in `span`; the file appears whole and durable, or not at all.

        It is read again, and compared with what was given. Raises LogUnavailable where it cannot be written or is not
        the same; then it is not there.
        """
        path = self._of(place) / f"{span.start:020d}-{span.end:020d}.parquet"
        part = path.with_suffix(".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(_table(records), part, compression="zstd")
            if [record for some in _read(part, place) for record in some] != list(records):
                raise LogUnavailable(f"{part} does not hold what was written to it; see to the disk")
            sync(part)
            os.rename(part, path)
            sync(path.parent)
        except OSError as error:
            raise LogUnavailable(f"the archive {path} cannot be written: {error}") from error
        finally:
            part.unlink(missing_ok=True)
        return path

    def read(self, place: TopicPartition, span: Span) -> Iterator[list[Record]]:
        """What is here of these offsets, some records at a time. Raises LogFormatError, LogUnavailable."""
        for file in self.ranges(place):
            if file.end > span.start and file.start < span.end:
                for records in _read(file.path, place):
                    yield [record for record in records if span.start <= record.offset < span.end]

    def fetch(self, place: TopicPartition, offset: int) -> Record | None:
        """One record. Raises as `read`."""
        file = next((file for file in self.ranges(place) if file.start <= offset < file.end), None)
        if file is None:
            return None
        with _Opening(file.path):
            table = pq.read_table(file.path, filters=pc.field("offset") == offset)
        return next(iter(_records(table, place)), None)

    def offset_at(self, place: TopicPartition, time: float) -> int | None:
        """The first offset here whose record was taken at or after a time; None where there is none."""
        for file in self.ranges(place):
            with _Opening(file.path):
                times = pq.read_table(file.path, columns=["offset", "time"], filters=pc.field("time") >= time)
            if times.num_rows:
                return int(times["offset"][0].as_py())
        return None

    def _of(self, place: TopicPartition) -> Path:
        return self._folder / place[0] / str(place[1])


class _Opening:
    """Tells what is wrong with a file in words of ours."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, pa.ArrowInvalid):
            raise LogFormatError(f"{self._path} is damaged: {error}; restore it from a backup") from error
        if isinstance(error, OSError):
            raise LogUnavailable(f"{self._path} cannot be read: {error}") from error


def _read(path: Path, place: TopicPartition) -> Iterator[list[Record]]:
    with _Opening(path):
        for batch in pq.ParquetFile(path).iter_batches(_BATCH):
            yield _records(batch, place)


def _records(table: pa.Table | pa.RecordBatch, place: TopicPartition) -> list[Record]:
    topic, partition = place
    columns = (table[name].to_pylist() for name in ("offset", "time", "key", "value", "headers"))
    return [
        Record(topic, partition, offset, time, key, value, tuple((_text(h["name"]), h["value"]) for h in headers))
        for offset, time, key, value, headers in zip(*columns, strict=True)
    ]


def _table(records: Sequence[Record]) -> pa.Table:
    headers = [[{"name": _name(name), "value": value} for name, value in record.headers] for record in records]
    columns = {
        "offset": [record.offset for record in records],
        "time": [record.time for record in records],
        "key": [record.key for record in records],
        "value": [record.value for record in records],
        "headers": headers,
    }
    return pa.table(columns, schema=SCHEMA)


def _name(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")  # as some writer had it


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogatepass")
