"""Faust (`faust-streaming`), default settings: an agent over the stream of a topic, which sends to another."""

import sys
import tempfile
from collections.abc import AsyncIterator

import faust  # lives in the peers' environment

from tests.bench_kafka.programs import asked, shapes


def main() -> None:
    """Until SIGTERM."""
    told = asked.read()
    hop = shapes.hop(told.shape)
    app = faust.App(
        told.group,
        broker=f"kafka://{told.bootstrap}",
        value_serializer="raw",
        topic_partitions=1,
        web_enabled=False,
        datadir=tempfile.gettempdir(),
    )
    source = app.topic(told.source, key_type=bytes, value_type=bytes)
    sink = app.topic(told.sink, key_type=bytes, value_type=bytes)

    @app.agent(source)  # type: ignore[untyped-decorator]  # of an untyped package
    async def move(stream: object) -> None:
        items: AsyncIterator[tuple[bytes, bytes]] = stream.items()  # type: ignore[attr-defined]  # the same
        async for key, data in items:
            await sink.send(key=key, value=hop(data))

    sys.argv = [sys.argv[0], "worker", "--loglevel", "ERROR", "--without-web"]
    app.main()


if __name__ == "__main__":
    main()
