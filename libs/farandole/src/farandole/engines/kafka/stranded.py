"""Clients that have lost every broker for good, and are made anew.

A broker that shuts down tells, in its last moments, of a cluster without brokers. librdkafka 2.16 believes it, forgets
all that it knew, the bootstrap servers included, and asks nobody ever again (librdkafka#5301). Its recovery strategy
mends that sometimes; and that all brokers are down it does not always say, nor only then. So who needs an answer and
gets none takes another client, which does no harm where the cluster was merely away.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata

from farandole.engines.kafka.failures import error_of

UNREACHED = {KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN, KafkaError._DESTROY_BROKER}
"""What a call says that no broker answered."""
_ANY_TOPIC = "__consumer_offsets"  # one is asked for, not all; whether there is such a one does not matter
_KEPT = 90.0  # seconds for which a client that was replaced lives on; longer than any answer that it may still owe


class Asking(Protocol):
    """Any client of confluent-kafka."""

    def list_topics(self, topic: str, timeout: float) -> ClusterMetadata:
        """See confluent-kafka."""
        ...


def answered(client: Asking, within: float) -> bool:
    """Whether a broker answers this client in so many seconds; blocking."""
    try:
        client.list_topics(_ANY_TOPIC, within)
    except KafkaException:
        return False
    return True


class Administrator:
    """The administrator's client; another one after `list_topics` got no answer. Whoever asks again lists first."""

    def __init__(self, make: Callable[[], AdminClient]) -> None:
        self._make = make
        self._former = deque[tuple[float, AdminClient]]()
        self.client = make()

    def list_topics(self, timeout: float) -> ClusterMetadata:
        """All topics; blocking. Raises KafkaException."""
        client = self.client
        try:
            return client.list_topics(timeout=timeout)
        except KafkaException as raised:
            if error_of(raised).code() in UNREACHED and self.client is client:
                self._replace(client)
            raise

    def _replace(self, client: AdminClient) -> None:
        now = time.monotonic()
        while self._former and self._former[0][0] < now:
            self._former.popleft()
        self._former.append((now + _KEPT, client))
        self.client = self._make()
