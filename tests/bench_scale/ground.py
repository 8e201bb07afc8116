"""Where a hop is measured: topics in a namespace of the run, the chain's first service, events of a size."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from farandole.engines.kafka.log import KafkaLog
from farandole.events.codec import encode
from farandole.events.envelope import Envelope
from farandole.log.record import TopicSpec
from farandole.runtime.manifests import manifest_record
from tests.bench.chain import Hop0, one
from tests.bench_kafka.broker import Broker
from tests.bench_kafka.inputs import SOURCE, UPSTREAM, Raw
from tests.bench_kafka.peers import BY_NAME, OURS, Ends
from tests.bench_kafka.running import Running, worker

ELSEWHERE = "elsewhere"
"""A topic that nobody takes: what is fed there tells what feeding costs by itself."""
_KEYS = 997
_TRACE = f"00-{'1' * 32}-{'2' * 16}-01"


async def made(broker: Broker, namespace: str, *, partitions: int = 1) -> Ends:
    """The topics of a hop, and the manifest of who is before it."""
    log = await KafkaLog.open(f"kafka://{broker.bootstrap}/{namespace}")
    try:
        names = ("hop0", "hop1", "farandole.journal", ELSEWHERE)
        await log.ensure([TopicSpec(name, partitions) for name in names])
        await log.ensure([TopicSpec("farandole.manifests", 1, compacted=True)])
        await log.append([manifest_record(UPSTREAM)])
    finally:
        await log.close()
    source, sink, journal = (f"{namespace}.{name}" for name in names[:3])
    return Ends(broker.bootstrap, source, sink, journal, namespace, "hop", partitions)


@contextmanager
def hop(ends: Ends) -> Iterator[Running]:
    """`farandole run` of one service, until the block ends."""
    with worker(BY_NAME[OURS], ends, group=one.name, interval=0.0) as running:
        yield running


def event(number: int, size: int) -> Raw:
    """An event of about `size` bytes of JSON, published now by an upstream step."""
    bare = Hop0(key=f"instrument-{number % _KEYS:04d}", sent=time.time(), note="")
    made = bare.model_copy(update={"note": "x" * max(0, size - len(bare.data()))})
    name = f"{number:032x}"
    envelope = Envelope(name, SOURCE, "hop0", 1, made.data(), made.key, name, "0" * 32, (), 0, _TRACE)
    return Raw(made.key.encode(), made.data(), list(encode(envelope).headers))
