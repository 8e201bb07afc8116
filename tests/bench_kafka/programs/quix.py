"""Quix Streams: a dataframe over a topic that applies the hop and goes to another topic."""

import logging
import tempfile

from quixstreams import Application  # type: ignore[import-not-found]  # lives in the peers' environment

from tests.bench_kafka.programs import asked, shapes


def main() -> None:
    """Until SIGTERM."""
    told = asked.read()
    hop = shapes.hop(told.shape)
    interval = {"commit_interval": told.commit} if told.commit else {}
    app = Application(
        broker_address=told.bootstrap,
        consumer_group=told.group,
        auto_offset_reset="earliest",
        processing_guarantee=told.mode,
        auto_create_topics=False,
        loglevel=logging.WARNING,
        state_dir=tempfile.gettempdir(),
        **interval,
    )
    source = app.topic(told.source, value_deserializer="bytes")
    sink = app.topic(told.sink, value_serializer="bytes")
    app.dataframe(source).apply(hop).to_topic(sink)
    app.run()


if __name__ == "__main__":
    main()
