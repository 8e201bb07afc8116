"""From records to what is stored: frames and rows, composed on the event loop, so that the writer only inserts."""

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple, NoReturn

from farandole.engines.sqlite.catalog import Catalog, Topic
from farandole.engines.sqlite.frames import encode, encode_headers
from farandole.events.errors import RecordRefused
from farandole.log.partitioner import partition_of
from farandole.log.record import NewRecord

RECORD_LIMIT = 1024 * 1024 + 64 * 1024
"""Bytes of key, value and headers of one record: an event's data at its largest, and room for the rest."""
FRAME_BYTES = 1024 * 1024  # a frame of several records is no larger
FRAME_RECORDS = 2048  # who reads one record of a frame decodes them all

_partition = itemgetter(4)
_FIRST = frozenset((None, 0))


class Frame(NamedTuple):
    """Records for one partition of an ordinary topic, still without an offset."""

    tp: int
    records: int
    body: bytes


class Row(NamedTuple):
    """A record for one partition of a compacted topic, still without an offset."""

    tp: int
    key: bytes
    value: bytes | None
    headers: bytes | None


class Composed(NamedTuple):
    """What is to be stored; the order per partition is that in which the records were given."""

    frames: list[Frame]
    rows: list[Row]
    topics: tuple[str, ...]


class Composer:
    """Composes for one handle; it spreads records without key over the partitions."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._spread = 0

    def compose(self, outputs: Iterable[NewRecord]) -> Composed:
        """Frames and rows of the records. Raises RecordRefused naming the topic and the remedy."""
        by_topic: dict[str, list[NewRecord]] = {}
        for record in outputs:
            name = record[0]
            if name in by_topic:
                by_topic[name].append(record)
            else:
                by_topic[name] = [record]
        composed = Composed([], [], tuple(by_topic))
        for name, records in by_topic.items():
            topic = self._existing(name)
            for tp, part in self._by_partition(topic, records):
                if topic.compacted:
                    composed.rows.extend(_row(topic, tp, record) for record in part)
                else:
                    composed.frames.extend(_frames(topic, tp, part))
        return composed

    def placed(self, record: NewRecord) -> tuple[int, NewRecord]:
        """The tp that the record goes to, and the record with its partition given. Raises RecordRefused."""
        topic = self._existing(record.topic)
        number = self._number(topic, record)
        return topic.tp(number), record._replace(partition=number)

    def _existing(self, name: str) -> Topic:
        topic = self._catalog.known(name) or self._catalog.find(name)
        if topic is None:
            _refuse(name, "it does not exist; create it with `ensure`")
        return topic

    def _by_partition(self, topic: Topic, records: list[NewRecord]) -> Iterable[tuple[int, list[NewRecord]]]:
        if topic.partitions == 1 and _FIRST.issuperset(map(_partition, records)):
            return ((topic.first, records),)
        parts: dict[int, list[NewRecord]] = {}
        for record in records:
            parts.setdefault(topic.tp(self._number(topic, record)), []).append(record)
        return parts.items()

    def _number(self, topic: Topic, record: NewRecord) -> int:
        number = record.partition
        if number is None and record.key is not None:
            return partition_of(record.key, topic.partitions)
        if number is None:
            self._spread += 1
            return self._spread % topic.partitions
        if not 0 <= number < topic.partitions:
            _refuse(topic.name, f"it has no partition {number}; give one below {topic.partitions}, or none")
        return number


def _frames(topic: Topic, tp: int, records: list[NewRecord]) -> Iterator[Frame]:
    for start in range(0, len(records), FRAME_RECORDS):
        yield from _split(topic, tp, records[start : start + FRAME_RECORDS])


def _split(topic: Topic, tp: int, records: Sequence[NewRecord]) -> Iterator[Frame]:
    try:
        body = encode(records)
    except TypeError as error:
        _refuse(topic.name, str(error))
    if len(body) > FRAME_BYTES:  # else no record in it can be too large
        for record in records:
            _check_size(topic, record)
        if len(records) > 1:
            middle = len(records) // 2
            yield from _split(topic, tp, records[:middle])
            yield from _split(topic, tp, records[middle:])
            return
    yield Frame(tp, len(records), body)


def _row(topic: Topic, tp: int, record: NewRecord) -> Row:
    if record.key is None:
        _refuse(topic.name, "it is compacted, so a record needs a key; give one")
    for part in (record.key, record.value):
        if part is not None and type(part) is not bytes:
            _refuse(topic.name, f"keys and values are bytes or None, not {type(part).__name__}")
    try:
        row = Row(tp, record.key, record.value, encode_headers(record.headers))
    except TypeError as error:
        _refuse(topic.name, str(error))
    _check_size(topic, record)
    return row


def _check_size(topic: Topic, record: NewRecord) -> None:
    size = len(record.key or b"") + len(record.value or b"")
    size += sum(len(name.encode("utf-8", "surrogatepass")) + len(value or b"") for name, value in record.headers)
    if size > RECORD_LIMIT:
        _refuse(topic.name, f"a record of {size} bytes; at most {RECORD_LIMIT}: put large content into an asset")


def _refuse(topic: str, reason: str) -> NoReturn:
    raise RecordRefused(f"topic {topic!r}: {reason}")
