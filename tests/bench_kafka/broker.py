"""What the bench asks of the broker by the plain client: topics, preloading, how far a topic is, and a recount."""

import json
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import NamedTuple

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.bench_kafka.inputs import Raw

JAVA_OPTIONS = ("-Xmx1g",)  # beside those of scripts.kafka: what is preloaded must not wear its memory out
TIMEOUT = 30.0
_AT_ONCE = 5_000
_NEW = {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION}


class Recount(NamedTuple):
    """What a topic holds. `seconds`: from the first to the last append, as the broker dates them; `first`: records
    of that first moment, which took none of the seconds; `commits`: offsets that hold no record, one a transaction.
    """

    lost: int
    twice: int
    seconds: float
    first: int
    commits: int


class Broker:
    """One cluster, through plain clients."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        self._looking = self.reader("look")

    def close(self) -> None:
        """Its clients."""
        self._looking.close()

    def make(self, *names: str) -> None:
        """Topics of one partition, whose records the broker dates."""
        settings = {"message.timestamp.type": "LogAppendTime", "retention.ms": "-1"}
        new = [NewTopic(name, num_partitions=1, replication_factor=-1, config=settings) for name in names]
        for answer in self._admin.create_topics(new).values():
            answer.result(TIMEOUT)

    def remove(self, *names: str) -> None:
        """They are not needed any more."""
        for answer in self._admin.delete_topics(list(names)).values():
            answer.result(TIMEOUT)

    def preload(self, topic: str, records: Iterable[Raw]) -> None:
        """Write them in order; returns when all are acknowledged."""
        producer = self.producer(linger_ms=5)
        for record in records:
            while True:
                try:
                    producer.produce(topic, record.value, record.key, headers=record.headers)
                except BufferError:
                    producer.poll(0.1)
                else:
                    break
        if producer.flush(TIMEOUT):
            raise RuntimeError(f"{topic} was not filled in time")

    def producer(self, *, linger_ms: int = 0) -> Producer:
        """Idempotent."""
        return Producer(
            {"bootstrap.servers": self.bootstrap, "enable.idempotence": True, "linger.ms": linger_ms, "log_level": 2}
        )

    def reader(self, name: str) -> Consumer:
        """Reads what is committed, without a group."""
        return Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"bench-{name}",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )

    def end(self, topic: str) -> int:
        """The offset behind what is committed, marks of transactions counted; 0 while a new topic has no leader."""
        try:
            return self._looking.get_watermark_offsets(TopicPartition(topic, 0), TIMEOUT)[1]
        except KafkaException as raised:
            if raised.args[0].code() not in _NEW:
                raise
            self._looking.close()  # it would believe so for minutes
            self._looking = self.reader("look")
            return 0

    def recount(self, topic: str, expected: int) -> Recount:
        """Read what is committed, and compare it with the numbers 0 to `expected`."""
        numbers: Counter[int] = Counter()
        moments: list[int] = []
        for message in self.read(topic):
            numbers[json.loads(message.value() or b"")["count"]] += 1
            moments.append(message.timestamp()[1])
        lost = sum(number not in numbers for number in range(expected))
        twice = sum(times - 1 for times in numbers.values())
        seconds = (max(moments) - min(moments)) / 1000 if moments else 0.0
        return Recount(lost, twice, seconds, moments.count(min(moments, default=0)), self.end(topic) - len(moments))

    def committed(self, group: str, topic: str) -> int:
        """Where a group goes on in the one partition of a topic; 0 where it has not begun."""
        return max(0, self.positions(group, topic).get(0, 0))

    def positions(self, group: str, topic: str) -> dict[int, int]:
        """Where a group goes on in those partitions of a topic in which it has begun."""
        asked = self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, None)])
        places = asked[group].result(TIMEOUT).topic_partitions or []
        return {place.partition: place.offset for place in places if place.topic == topic}

    def read(self, topic: str, within: float = TIMEOUT) -> Iterator[Message]:
        """All that is committed by now. Raises RuntimeError after `within` seconds."""
        with closing(self.reader("recount")) as consumer:
            consumer.assign([TopicPartition(topic, 0, 0)])
            until = time.monotonic() + within
            while time.monotonic() < until:
                for message in consumer.consume(_AT_ONCE, 0.2):
                    error = message.error()
                    if error is None:
                        yield message
                    elif error.name() == "_PARTITION_EOF":
                        return
                    else:
                        raise KafkaException(error)
        raise RuntimeError(f"{topic} was not read to its end in {within:.0f} s")


def median(values: Iterable[float]) -> float:
    """Of nothing: not a number."""
    found = list(values)
    return statistics.median(found) if found else float("nan")
