"""Records to and from Kafka's messages."""

from typing import cast

from confluent_kafka import Message

from farandole.events.errors import RecordRefused
from farandole.log.record import NewRecord, Record


def record_of(message: Message, topic: str) -> Record:
    """A message as a record; `topic` by the log's name. Times come in milliseconds, as the brokers took them."""
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    key, value = message.key(), message.value()
    assert not isinstance(key, str)
    assert not isinstance(value, str)
    headers = tuple(cast("list[tuple[str, bytes | None]]", message.headers() or []))
    return tuple.__new__(Record, (topic, partition, offset, message.timestamp()[1] / 1000, key, value, headers))


def size_of(record: NewRecord) -> int:
    """Bytes of key, value and headers."""
    size = len(record.key or b"") + len(record.value or b"")
    for name, value in record.headers:
        size += (len(name) if name.isascii() else len(name.encode())) + len(value or b"")
    return size


def check_size(record: NewRecord, limit: int) -> int:
    """Its size. Raises RecordRefused where it is larger than `limit`."""
    size = size_of(record)
    if size > limit:
        raise RecordRefused(
            f"a record for {record.topic!r} has {size} bytes, and {limit} is the most; save large content as an asset"
        )
    return size
