"""What transactions cost a broker by themselves: many producers, each committing small ones as fast as it goes.

The same calls and settings as `farandole.engines.kafka.transactor` makes, by the plain client, and no step.
"""

import sys
import threading
import time
import uuid
from contextlib import closing
from typing import NamedTuple

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.bench_kafka.broker import TIMEOUT, Broker
from tests.bench_scale.meter import Meter, Spent

CASES = ((1, 2), (4, 2), (16, 2), (64, 2), (4, 8), (4, 32))
"""Producers, and partitions that a commit of each writes to."""
PARTITIONS = 64
GROUP = "flood"
_VALUE = b"x" * 300
_WARM = 0.5
PACE = 0.05
"""Seconds between two commits of a producer that is not in a hurry."""
_PATIENCE = 30.0


class Flooded(NamedTuple):
    """`times`: seconds of each commit."""

    producers: int
    partitions: int
    spent: Spent
    times: list[float]


class Ring:
    """A topic and as many producers as are needed, made once, for that takes a while."""

    def __init__(self, broker: Broker) -> None:
        self.topic = f"flood-{uuid.uuid4().hex[:8]}"
        self._bootstrap = broker.bootstrap
        new = NewTopic(self.topic, num_partitions=PARTITIONS, replication_factor=-1)
        admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        admin.create_topics([new])[self.topic].result(TIMEOUT)
        self._producers: list[Producer] = []
        with closing(Consumer({"bootstrap.servers": broker.bootstrap, "group.id": GROUP, "log_level": 0})) as consumer:
            self.membership = consumer.consumer_group_metadata()

    def producers(self, count: int) -> list[Producer]:
        """So many, ready."""
        while len(self._producers) < count:
            made = Producer(
                {
                    "bootstrap.servers": self._bootstrap,
                    "transactional.id": f"{self.topic}-{len(self._producers)}",
                    "linger.ms": 0,
                    "retry.backoff.ms": 5,
                    "log_level": 0,
                }
            )
            made.init_transactions(_PATIENCE)
            self._producers.append(made)
        return self._producers[:count]


def flooded(meter: Meter, ring: Ring, producers: int, partitions: int, seconds: float, *, pace: float = 0.0) -> Flooded:
    """Commits of so many producers for so long. `pace`: seconds between two commits of one; 0: none."""
    over, times = threading.Event(), list[float]()
    threads = [
        threading.Thread(target=_commit, args=(ring, made, number, partitions, over, times, pace), daemon=True)
        for number, made in enumerate(ring.producers(producers))
    ]
    for thread in threads:
        thread.start()
    time.sleep(_WARM)
    first, before = len(times), meter.look()
    time.sleep(seconds)
    spent, last = meter.look().since(before), len(times)
    over.set()
    for thread in threads:
        thread.join(_PATIENCE)
    rate = (last - first) / spent.seconds
    sys.stderr.write(f"flood of {producers}, {partitions} partitions: {rate:,.0f} commits/s\n")
    return Flooded(producers, partitions, spent, times[first:last])


def _commit(
    ring: Ring, producer: Producer, number: int, partitions: int, over: threading.Event, times: list[float], pace: float
) -> None:
    done = 0
    while not over.is_set():
        begun = time.perf_counter()
        producer.begin_transaction()
        for other in range(partitions):
            producer.produce(ring.topic, _VALUE, partition=(number * partitions + other) % PARTITIONS)
        done += 1
        place = TopicPartition(ring.topic, number, done)
        producer.send_offsets_to_transaction([place], ring.membership, _PATIENCE)
        producer.flush(_PATIENCE)
        producer.commit_transaction(_PATIENCE)
        times.append(time.perf_counter() - begun)
        over.wait(pace)
