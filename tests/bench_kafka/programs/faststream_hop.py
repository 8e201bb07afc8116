"""FastStream on its `KafkaBroker`, default settings: a subscriber with a publisher decorated above it."""

import asyncio

from faststream import FastStream  # type: ignore[import-not-found]  # lives in the peers' environment
from faststream.kafka import KafkaBroker  # type: ignore[import-not-found]  # the same

from tests.bench_kafka.programs import asked
from tests.bench_kafka.programs.shapes import Hop, Measured, Moved, move, pass_on


def main() -> None:
    """Until SIGTERM."""
    told = asked.read()
    broker = KafkaBroker(told.bootstrap, logger=None)  # or it writes two lines an event
    subscriber = broker.subscriber(told.source, group_id=told.group, auto_offset_reset="earliest")
    publisher = broker.publisher(told.sink)

    async def measured(event: Measured) -> Moved:
        return move(event)

    async def hopped(event: Hop) -> Hop:
        return pass_on(event)

    subscriber(publisher(hopped if told.shape == "hop" else measured))
    asyncio.run(FastStream(broker, logger=None).run())


if __name__ == "__main__":
    main()
