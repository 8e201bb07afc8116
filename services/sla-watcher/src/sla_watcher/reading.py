"""Faust's Kafka transport, reading committed records only.

Faust offers that with `processing_guarantee="exactly_once"` alone, which is known to break on rebalances; the journal
is written in transactions, and what an aborted one left behind is no fact.
"""

from aiokafka import AIOKafkaConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport


class CommittedThread(AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Read when it starts, which is later; Faust leaves no way to hand it over.
        assert consumer._isolation_level in ("read_uncommitted", "read_committed"), "another aiokafka than pinned"
        consumer._isolation_level = "read_committed"
        return consumer


class CommittedConsumer(Consumer):
    def _new_consumer_thread(self) -> CommittedThread:
        return CommittedThread(self, loop=self.loop, beacon=self.beacon)


class CommittedTransport(Transport):
    Consumer = CommittedConsumer
