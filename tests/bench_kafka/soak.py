"""`make soak-kafka MINUTES=30`: one hop at half of what it can do, for long; memory, threads and lag have to stay flat.

    python -m tests.bench_kafka.soak [--minutes M] [--rate EVENTS_A_SECOND] [--json-file FILE]

Exit codes: 0; 1 where something grows, or an output is missing or there twice; 78 where no Kafka is to be had.
"""

import argparse
import asyncio
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from rich.console import Console

from farandole.cli.codes import Code
from scripts.kafka import NoKafka, kafka_cluster
from tests.bench.bars import Bar, as_json, show
from tests.bench_kafka import inputs, steady, throughput
from tests.bench_kafka.about import about
from tests.bench_kafka.broker import JAVA_OPTIONS, Broker, median
from tests.bench_kafka.peers import BY_NAME, OURS, Ends
from tests.bench_kafka.running import Running, worker

GROUP = "hop/move"
SHARE = 0.5  # of the capacity
ROUNDS = 3
EACH = 5.0  # seconds between two looks
TICK = 0.02  # seconds: what is due is sent
FED = 0.98
ENDS_WITHIN = 60.0
READ_WITHIN = 900.0


def main() -> int:
    """Measure the capacity, feed half of it, judge."""
    options = _options()
    try:
        with kafka_cluster(java_options=JAVA_OPTIONS) as cluster, closing(Broker(cluster.bootstrap)) as broker:
            report = _soaked(broker, options.rate, options.minutes * 60)
    except NoKafka as error:
        sys.stderr.write(f"{error}\n")
        return Code.REFUSED
    text = json.dumps(report)
    sys.stdout.write(text + "\n")
    if options.json_file:
        with open(options.json_file, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    return 0 if report["ok"] else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=0.0, help="events a second; half of the capacity, if left out")
    parser.add_argument("--json-file", help="write the JSON object there, too")
    return parser.parse_args()


def _soaked(broker: Broker, rate: float, seconds: float) -> dict[str, object]:
    peer = BY_NAME[OURS]
    capacity = 0.0
    if not rate:
        capacity = median(asyncio.run(throughput.run(broker, [peer], rounds=ROUNDS, share=1.0)).rates(OURS))
        rate = SHARE * capacity
    ends = asyncio.run(throughput.own_ground(broker.bootstrap, "soak"))
    with worker(peer, ends, group="", interval=0.0) as running, _fed(broker, ends, rate) as feeder:
        looks = list(_looks(broker, running, ends, feeder, seconds))
        feeder.stop()
        _wait_for_the_end(broker, running, ends, feeder.sent)
    rows = steady.rows(looks)
    lost, twice = _recount(broker, ends.sink, feeder.sent)
    fed = Bar("fed / what was to be fed", feeder.sent / (rate * seconds), FED, "x", True)
    bars = [
        fed,
        *steady.judged(rows),
        Bar("outputs lost", lost, 0, "", False),
        Bar("outputs twice", twice, 0, "", False),
    ]
    console = Console(width=150, stderr=True)
    console.print(steady.table(rows))
    show(bars, console)
    return {
        "ok": all(bar.met for bar in bars),
        "capacity": round(capacity),
        "rate": round(rate),
        "seconds": seconds,
        "events": feeder.sent,
        "fifths": {row.name: row.fifths for row in rows},
        "bars": as_json(bars),
        "about": about(seconds),
    }


class _Feeder(threading.Thread):
    """Sends at a steady pace until it is stopped. `sent`: how many, numbered from 0."""

    def __init__(self, broker: Broker, topic: str, rate: float) -> None:
        super().__init__(daemon=True)
        self._producer, self._topic, self._rate = broker.producer(linger_ms=5), topic, rate
        self._over = threading.Event()
        self.sent = 0

    def run(self) -> None:
        begun = time.monotonic()
        while not self._over.wait(TICK):
            due = int((time.monotonic() - begun) * self._rate)
            while self.sent < due:
                record = inputs.numbered(self.sent, headers=True)
                self._producer.produce(self._topic, record.value, record.key, headers=record.headers)
                self.sent += 1
            self._producer.poll(0)

    def stop(self) -> None:
        """Nothing more is sent; returns when all is acknowledged. Raises RuntimeError where it is not."""
        self._over.set()
        self.join()
        if self._producer.flush(throughput.PATIENCE):
            raise RuntimeError(f"{self._topic} was not filled in time")


@contextmanager
def _fed(broker: Broker, ends: Ends, rate: float) -> Iterator[_Feeder]:
    feeder = _Feeder(broker, ends.source, rate)
    feeder.start()
    try:
        yield feeder
    finally:
        feeder.stop()


def _looks(broker: Broker, running: Running, ends: Ends, feeder: _Feeder, seconds: float) -> Iterator[steady.Look]:
    begun = time.monotonic()
    while (at := time.monotonic() - begun) < seconds:
        there, handled = broker.end(ends.source), _handled(broker, ends)
        family = running.family()
        look = steady.Look(
            at,
            sum(member.memory_info().rss for member in family),
            sum(member.num_threads() for member in family),
            sum(member.num_fds() for member in family),
            (there - handled) * at / max(1, feeder.sent),
            handled,
        )
        yield look
        if int(at // 60) > int((at - EACH) // 60):
            said = f"{look.memory / 2**20:.1f} MiB, {look.threads} threads, {look.descriptors} descriptors"
            sys.stderr.write(
                f"soak {at / 60:.0f}/{seconds / 60:g} min: {handled:,} events, {said}, lag {look.lag:.2f} s\n"
            )
        time.sleep(EACH)


def _handled(broker: Broker, ends: Ends) -> int:
    return broker.committed(f"{ends.namespace}.{GROUP}", ends.source)


def _wait_for_the_end(broker: Broker, running: Running, ends: Ends, count: int) -> None:
    until = time.monotonic() + ENDS_WITHIN
    while (handled := _handled(broker, ends)) < count:
        running.check()
        if time.monotonic() > until:
            raise TimeoutError(f"{handled} of {count} {ENDS_WITHIN:.0f} s after the last; it said:\n{running.said()}")
        time.sleep(EACH)


def _recount(broker: Broker, topic: str, expected: int) -> tuple[int, int]:
    """How many of the numbers 0 to `expected` are missing, and how many are there more than once."""
    times = bytearray(expected)
    twice = 0
    for message in broker.read(topic, READ_WITHIN):
        number = json.loads(message.value() or b"")["count"]
        twice += times[number]
        times[number] = 1
    return times.count(0), twice


if __name__ == "__main__":
    sys.exit(main())
