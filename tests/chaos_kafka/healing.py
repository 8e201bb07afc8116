"""What has to be gone once the faults are over: lags, and transactions that are still open."""

import time
from collections.abc import Iterable

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

Place = tuple[str, int]
PATIENCE = 10.0  # seconds for one answer


class Healing:
    """Looks at a cluster by a plain administrator's client. `reads`: group and topic by Kafka's names."""

    def __init__(self, bootstrap: str, reads: Iterable[tuple[str, str]]) -> None:
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
        self._reads = list(reads)

    def wait(self, within: float) -> tuple[float, list[str]]:
        """Until nothing is left or time is up: the seconds, and what is left."""
        began = time.monotonic()
        while True:
            try:
                left = self.left()
            except KafkaException as error:
                left = [f"the brokers do not answer: {error}"]
            seconds = time.monotonic() - began
            if not left or seconds > within:
                return seconds, left
            time.sleep(0.5)

    def left(self) -> list[str]:
        """Open transactions on any partition, the brokers' own included, and every lag. Raises KafkaException."""
        topics = self._admin.list_topics(timeout=PATIENCE).topics
        places = [(name, number) for name, topic in topics.items() for number in topic.partitions]
        ends = self._offsets(places, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)
        stable = self._offsets(places, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)
        first = self._offsets(places, OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED)
        left = [
            f"{topic}/{number} has an open transaction: stable {stable[topic, number]}, end {ends[topic, number]}"
            for topic, number in places
            if stable[topic, number] < ends[topic, number]
        ]
        for group, topic in self._reads:
            committed = self._committed(group)
            wanted = committed.keys() | {place for place in places if place[0] == topic}
            for place in sorted(wanted):
                lag = ends[place] - max(committed.get(place, 0), first[place])
                if lag > 0:
                    left.append(f"{group} lags {lag} behind the end of {place[0]}/{place[1]}")
        return left

    def _offsets(self, places: list[Place], spec: OffsetSpec, level: IsolationLevel) -> dict[Place, int]:
        asked = {TopicPartition(*place): spec for place in places}
        answers = self._admin.list_offsets(asked, isolation_level=level, request_timeout=PATIENCE)
        return {(tp.topic, tp.partition): answer.result().offset for tp, answer in answers.items()}

    def _committed(self, group: str) -> dict[Place, int]:
        asked = [ConsumerGroupTopicPartitions(group, None)]
        found = self._admin.list_consumer_group_offsets(asked, require_stable=True, request_timeout=PATIENCE)
        return {(tp.topic, tp.partition): tp.offset for tp in found[group].result().topic_partitions if tp.offset >= 0}
