"""Records to and from Kafka's messages."""

from confluent_kafka import Message

from farandole.events.errors import RecordRefused
from farandole.log.record import NewRecord, Record


def record_of(message: Message, topic: str) -> Record:
    """A message as a record; `topic` by the log's name. Times come in milliseconds, as the brokers took them."""
    place = (topic, message.partition(), message.offset(), message.timestamp()[1] / 1000)
    # Made bare, for every record that comes; the client gives bytes, and a place to what it delivers.
    return tuple.__new__(Record, (*place, message.key(), message.value(), tuple(message.headers() or ())))


def size_of(record: NewRecord) -> int:
    """Bytes of key, value and headers."""
    _, value, key, headers, *_ = record
    texts = sum([len(name) if name.isascii() else len(name.encode()) for name, _ in headers])
    return texts + sum([len(raw) for _, raw in headers if raw]) + len(key or b"") + len(value or b"")


def check_size(record: NewRecord, limit: int) -> int:
    """Its size. Raises RecordRefused where it is larger than `limit`."""
    size = size_of(record)
    if size > limit:
        raise RecordRefused(
            f"a record for {record.topic!r} has {size} bytes, and {limit} is the most; save large content as an asset"
        )
    return size
