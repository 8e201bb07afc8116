"""Raw aiokafka, at-least-once: a batch is delivered, then its position is committed."""

import asyncio
import signal

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.bench_kafka.programs import asked, shapes

BATCH = 500
_TICK_MS = 100  # that an idle one waits before it looks whether it has to stop


async def main() -> None:
    """Until SIGTERM."""
    told, stop = asked.read(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    hop = shapes.hop(told.shape)
    consumer = AIOKafkaConsumer(
        told.source,
        bootstrap_servers=told.bootstrap,
        group_id=told.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(bootstrap_servers=told.bootstrap, acks="all", linger_ms=0, max_batch_size=262_144)
    await producer.start()
    await consumer.start()
    try:
        while not stop.is_set():
            for records in (await consumer.getmany(timeout_ms=_TICK_MS, max_records=BATCH)).values():
                sent = [await producer.send(told.sink, hop(record.value), record.key) for record in records]
                await asyncio.gather(*sent)
                await consumer.commit()
    finally:
        await consumer.stop()
        await producer.stop()


if __name__ == "__main__":
    asyncio.run(main())
