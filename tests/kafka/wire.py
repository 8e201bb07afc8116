"""The few things that the tests ask of a Kafka, through the plain client."""

import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from uuid import uuid4

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.cimpl import NewTopic

_TIMEOUT = 30.0
_QUIET = {"log_level": 0, "reconnect.backoff.max.ms": 500}


def admin(bootstrap: str) -> AdminClient:
    """A client that creates and describes."""
    return AdminClient({"bootstrap.servers": bootstrap, **_QUIET})


def new_topic(bootstrap: str, *, replicas: int = 1) -> str:
    """A topic of one partition that nobody else has; returns when it can be written."""
    topic = f"test.{uuid4().hex}"
    asking = admin(bootstrap)  # its answers end with it
    created = asking.create_topics([NewTopic(topic, num_partitions=1, replication_factor=replicas)])
    created[topic].result(_TIMEOUT)
    return topic


def topic_settings(bootstrap: str, topic: str) -> Mapping[str, str]:
    """What the brokers hold for the topic, defaults included; any of them may hear of a new topic a moment later."""
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    asking, deadline = admin(bootstrap), time.monotonic() + _TIMEOUT
    while True:
        try:
            entries = asking.describe_configs([resource])[resource].result(_TIMEOUT)
        except KafkaException as raised:
            if raised.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return {name: entry.value for name, entry in entries.items()}


def exists(bootstrap: str, topic: str) -> bool:
    """Asked as a producer does before its first record, which creates the topic where brokers allow it."""
    producer = Producer({"bootstrap.servers": bootstrap, "allow.auto.create.topics": True, **_QUIET})
    return producer.list_topics(topic, _TIMEOUT).topics[topic].error is None


def write(bootstrap: str, topic: str, values: Iterable[bytes], *, timeout: float = _TIMEOUT) -> None:
    """In one transaction. Raises KafkaException when it is not committed within `timeout` seconds."""
    settings = {"transactional.id": uuid4().hex, "transaction.timeout.ms": 10_000, "message.timeout.ms": 10_000}
    producer = Producer({"bootstrap.servers": bootstrap, **settings, **_QUIET})
    producer.init_transactions(timeout)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value)
    producer.commit_transaction(timeout)


def read(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    """The first `count` committed values; fewer when no more came in time."""
    group = {"group.id": uuid4().hex, "enable.auto.commit": False, "isolation.level": "read_committed"}
    with closing(Consumer({"bootstrap.servers": bootstrap, **group, **_QUIET})) as consumer:
        consumer.assign([TopicPartition(topic, 0, 0)])
        return [_value(message) for message in consumer.consume(count, _TIMEOUT)]


def _value(message: Message) -> bytes | None:
    if (error := message.error()) is not None:
        raise KafkaException(error)
    return message.value()
