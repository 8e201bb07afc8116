"""(b) 200 events a second: how long from before the publish until an outsider reads the output, committed."""

import asyncio
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from confluent_kafka import Consumer, KafkaException, TopicPartition

from farandole.engines.kafka.log import KafkaLog
from farandole.log.record import TopicSpec
from farandole.runtime.manifests import manifest_record
from tests.bench.bars import percentile
from tests.bench.chain import SERVICES
from tests.bench_kafka import inputs
from tests.bench_kafka.broker import Broker
from tests.bench_kafka.peers import OURS, Ends, Peer
from tests.bench_kafka.running import Running, workers
from tests.bench_kafka.throughput import FAILURES

RATE = 200.0
WARM = 200  # first events, not counted: imports and caches
READY = 60.0  # seconds for the first event to come through
PATIENCE = 30.0  # seconds without any event
OUTSIDE = "bench"  # no manifest names it


@dataclass(slots=True)
class Latency:
    """Of one number of hops: by peer, a round's p50 and p99 in milliseconds, None where it failed; and why."""

    hops: int
    rounds: dict[str, list[tuple[float, float] | None]] = field(default_factory=dict)
    failures: dict[str, list[str]] = field(default_factory=dict)

    def p50(self, name: str) -> list[float]:
        """Of the rounds that came through."""
        return [found[0] for found in self.rounds.get(name, []) if found is not None]

    def p99(self, name: str) -> list[float]:
        """The same."""
        return [found[1] for found in self.rounds.get(name, []) if found is not None]

    def above(self, ours: str, other: str) -> list[float]:
        """How much later the median event comes, round by round."""
        pairs = zip(self.rounds.get(ours, []), self.rounds.get(other, []), strict=True)
        return [one[0] - two[0] for one, two in pairs if one is not None and two is not None]


def run(broker: Broker, peers: Sequence[Peer], hops: int, *, rounds: int, events: int, interval: float) -> Latency:
    """Rounds in alternating order."""
    found = Latency(hops)
    wanted = [peer for peer in peers if hops in peer.hops]
    for number in range(rounds):
        for peer in wanted if number % 2 == 0 else reversed(wanted):
            found.rounds.setdefault(peer.name, []).append(None)
            if len(found.failures.get(peer.name, [])) == FAILURES:
                continue
            try:
                times = _once(broker, peer, hops, events, interval)
            except (RuntimeError, TimeoutError, KafkaException) as error:
                found.failures.setdefault(peer.name, []).append(str(error))
                sys.stderr.write(f"latency, {hops} hops, {peer.name}: FAILED: {error}\n")
                continue
            one = percentile(times, 0.5), percentile(times, 0.99)
            found.rounds[peer.name][-1] = one
            what = f"latency, {hops} hops, {number + 1}/{rounds} {peer.name}"
            sys.stderr.write(f"{what}: p50 {one[0]:.2f} ms, p99 {one[1]:.2f} ms\n")
            sys.stderr.flush()
    return found


def _once(broker: Broker, peer: Peer, hops: int, events: int, interval: float) -> list[float]:
    tag = uuid.uuid4().hex[:8]
    chain = asyncio.run(own_chain(broker, f"chain-{tag}", hops)) if peer.name == OURS else _chain(broker, tag, hops)
    source = "" if peer.name != OURS else inputs.SOURCE if hops == 1 else OUTSIDE
    with workers(peer, chain, interval=interval) as running, tail(broker, chain[-1][0].sink) as reader:
        return _drive(broker, running, reader, chain[0][0].source, source, events)


def _chain(broker: Broker, tag: str, hops: int) -> list[tuple[Ends, str]]:
    names = [f"hop-{tag}-{number}" for number in range(hops + 1)]
    broker.make(*names)
    pairs = pairwise(names)
    return [(Ends(broker.bootstrap, one, two, "", "", "hop"), f"group-{two}") for one, two in pairs]


async def own_chain(broker: Broker, namespace: str, hops: int) -> list[tuple[Ends, str]]:
    """Farandole's: as many services of the chain, in a namespace of the run."""
    log = await KafkaLog.open(f"kafka://{broker.bootstrap}/{namespace}")
    try:
        await log.ensure([TopicSpec(f"hop{number}", 1) for number in range(hops + 1)])
        await log.ensure([TopicSpec("farandole.manifests", 1, compacted=True)])
        await log.append([manifest_record(inputs.UPSTREAM)])
    finally:
        await log.close()
    names = [f"{namespace}.hop{number}" for number in range(hops + 1)]
    pairs = zip(pairwise(names), SERVICES, strict=False)
    return [(Ends(broker.bootstrap, one, two, "", namespace, "hop"), each.name) for (one, two), each in pairs]


@contextmanager
def tail(broker: Broker, topic: str) -> Iterator[Consumer]:
    """A reader that stands at the beginning of the topic."""
    with closing(broker.reader("tail")) as reader:
        reader.assign([TopicPartition(topic, 0, 0)])
        yield reader


def _drive(
    broker: Broker, running: Sequence[Running], reader: Consumer, topic: str, source: str, events: int
) -> list[float]:
    """Milliseconds of each event but the first ones."""
    publisher = Publisher(broker, topic, source)
    publisher.send(0)
    read(reader, running, 1, READY)  # the workers are still starting
    total = events + WARM
    thread = threading.Thread(target=publisher.run, args=(total,), daemon=True)
    thread.start()
    times = read(reader, running, total, PATIENCE)
    thread.join()
    return times[WARM:]


def read(reader: Consumer, running: Sequence[Running], count: int, patience: float) -> list[float]:
    """Milliseconds of so many events, as they come. Raises TimeoutError after `patience` seconds without any."""
    times: list[float] = []
    until = time.monotonic() + patience
    while len(times) < count:
        message = reader.poll(0.2)
        now = time.time()
        if message is not None and message.error() is None:
            times.append(1000 * (now - inputs.sent(message.value() or b"")))
            until = time.monotonic() + patience
            continue
        for each in running:
            each.check()
        if time.monotonic() > until:
            raise TimeoutError(f"only {len(times)} of {count} came through in time")
    return times


class Publisher:
    """Sends at a steady pace, from a thread of its own."""

    def __init__(self, broker: Broker, topic: str, source: str) -> None:
        self._producer, self._topic, self._source = broker.producer(), topic, source

    def send(self, number: int) -> None:
        """One event."""
        record = inputs.hop(number, source=self._source)
        self._producer.produce(self._topic, record.value, record.key, headers=record.headers)
        self._producer.poll(0)

    def run(self, total: int) -> None:
        """So many more."""
        begun = time.perf_counter()
        for number in range(1, total + 1):
            time.sleep(max(0.0, begun + number / RATE - time.perf_counter()))
            self.send(number)
        self.flush()

    def flush(self) -> None:
        """Until all is acknowledged."""
        self._producer.flush(PATIENCE)
