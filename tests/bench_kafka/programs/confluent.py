"""Raw confluent-kafka, as one would write it: at-least-once, or one transaction for what has come (500 at most)."""

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from tests.bench_kafka.programs import asked, shapes

BATCH = 500
LINGER_MS = 1
BACKOFF_MS = 5  # a transaction waits so long for the markers of the one before; the client's 100 halve the speed
_TICK = 0.1  # seconds that an idle one waits before it looks whether it has to stop


def main() -> None:
    """Until SIGTERM."""
    told = asked.read()
    if told.mode == "transactional":
        transactional(told)
    else:
        at_least_once(told)


def at_least_once(told: asked.Asked) -> None:
    """Every record of a batch is delivered before its offset is stored; the client commits what is stored."""
    stop, hop = asked.stopping(), shapes.hop(told.shape)
    consumer = reading(told, {"enable.auto.offset.store": False})
    producer = Producer({"bootstrap.servers": told.bootstrap, "linger.ms": LINGER_MS, "enable.idempotence": True})
    while not stop.is_set():
        if batch := taken(consumer):
            for message in batch:
                producer.produce(told.sink, hop(value(message)), message.key())
            if producer.flush(30.0):
                raise RuntimeError("records were not delivered")
            consumer.store_offsets(batch[-1])
    consumer.close()


def transactional(told: asked.Asked) -> None:
    """Outputs and position in one transaction."""
    stop, hop = asked.stopping(), shapes.hop(told.shape)
    consumer = reading(told, {"enable.auto.commit": False, "isolation.level": "read_committed"})
    producer = writing(told)
    while not stop.is_set():
        if batch := taken(consumer):
            producer.begin_transaction()
            for message in batch:
                producer.produce(told.sink, hop(value(message)), message.key())
            commit(producer, consumer, batch[-1])
    consumer.close()


def reading(told: asked.Asked, more: dict[str, object]) -> Consumer:
    """A member of the group, from the beginning of the topic."""
    settings = {"bootstrap.servers": told.bootstrap, "group.id": told.group, "auto.offset.reset": "earliest"}
    consumer = Consumer(settings | more)
    consumer.subscribe([told.source])
    return consumer


def writing(told: asked.Asked) -> Producer:
    """A transactional producer that is ready."""
    producer = Producer(
        {
            "bootstrap.servers": told.bootstrap,
            "linger.ms": LINGER_MS,
            "transactional.id": f"{told.group}-producer",
            "retry.backoff.ms": BACKOFF_MS,
        }
    )
    producer.init_transactions(30.0)
    return producer


def taken(consumer: Consumer) -> list[Message]:
    """What has come, without waiting for a batch to fill."""
    first = consumer.poll(_TICK)
    if first is None:
        return []
    batch = [first, *consumer.consume(BATCH - 1, 0)]
    for message in batch:
        if (error := message.error()) is not None:
            raise RuntimeError(str(error))
    return batch


def value(message: Message) -> bytes:
    """Its value, which is never absent here."""
    data = message.value()
    assert isinstance(data, bytes)
    return data


def commit(producer: Producer, consumer: Consumer, last: Message) -> None:
    """End the transaction with the position after `last`."""
    topic, partition, offset = last.topic(), last.partition(), last.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    position = TopicPartition(topic, partition, offset + 1)
    producer.send_offsets_to_transaction([position], consumer.consumer_group_metadata(), 30.0)
    producer.commit_transaction(30.0)


if __name__ == "__main__":
    main()
