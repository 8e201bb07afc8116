"""One hop in one process: as fast as it goes by the size of its events, and fed at rates from a trickle upwards."""

import asyncio
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from confluent_kafka import Consumer

from tests.bench_kafka import inputs
from tests.bench_kafka.broker import Broker
from tests.bench_kafka.latency import tail
from tests.bench_kafka.peers import Ends
from tests.bench_kafka.running import Running
from tests.bench_kafka.throughput import PATIENCE
from tests.bench_scale import ground
from tests.bench_scale.meter import Meter, Spent

SIZES = {200: 30_000, 2_000: 20_000, 20_000: 5_000}
"""Bytes of an event, and how many of them: two seconds, about."""
RATES = (20.0, 200.0, 2_000.0, 8_000.0)
SIZE = 300
"""Bytes of an event that is fed."""
KEPT = 0.8
"""Share of what was fed in a stretch that has to come through in it; else the machine is not up to that rate."""
_LOOK = 0.02
_STILL = 0.5
_SETTLE = 1.0  # seconds at a new rate that are not counted
_TICK = 0.001
_AT_ONCE = 500


class Emptied(NamedTuple):
    """A topic was worked off: `spent` on `events` of a `size`, in `commits`; `journal`, `output`: bytes an event."""

    size: int
    events: int
    commits: int
    spent: Spent
    journal: float
    output: float


class Fed(NamedTuple):
    """A hop was fed at a rate. `spent`: without what feeding alone costs brokers and disks, with what it costs us.
    `delays`: seconds from before the publish until an outsider reads the output.
    """

    rate: float
    events: int
    commits: int
    spent: Spent
    delays: list[float]


def emptied(broker: Broker, meter: Meter, size: int, count: int) -> Emptied:
    """Raises TimeoutError where it does not come to an end."""
    ends = asyncio.run(ground.made(broker, f"size-{uuid.uuid4().hex[:8]}"))
    broker.preload(ends.source, (ground.event(number, size) for number in range(count)))
    before = meter.disk()
    with ground.hop(ends) as running:
        first, last = _looks(broker, meter, running, ends, count)
    journal, output = (meter.of_topic(name) / count for name in (ends.journal, ends.sink))
    broker.remove(ends.source, ends.sink, ends.journal)
    commits = last[1] - count
    events = (last[1] - first[1]) * count / last[1]  # offsets count marks too
    spent = last[0].since(first[0])._replace(disk=last[0].disk - before)
    sys.stderr.write(f"{size} B: {events / spent.seconds:,.0f}/s, {commits} commits, {spent.worker:.2f} s of CPU\n")
    return Emptied(size, round(events), round(commits * events / count), spent, journal, output)


Look = tuple[Spent, int]


def _looks(broker: Broker, meter: Meter, running: Running, ends: Ends, count: int) -> tuple[Look, Look]:
    """When outputs were first there, and when they were all there."""
    first: Look | None = None
    last: Look | None = None
    until, still = time.monotonic() + PATIENCE, 0.0
    while last is None or last[1] < count or time.monotonic() < still:
        if time.monotonic() > until:
            raise TimeoutError(f"not worked off after {PATIENCE:.0f} s; it said:\n{running.said()}")
        there = broker.end(ends.sink)
        if there > (last[1] if last else 0):
            last = meter.look(running), there
            first = first or last
            still = time.monotonic() + _STILL
        time.sleep(_LOOK)
    assert first is not None
    if first == last:
        raise RuntimeError("it was over before it was looked at; give it more events")
    return first, last


def fed(broker: Broker, meter: Meter, rates: tuple[float, ...], seconds: float) -> list[Fed]:
    """One process, at one rate after the other."""
    ends = asyncio.run(ground.made(broker, f"fed-{uuid.uuid4().hex[:8]}"))
    elsewhere = f"{ends.namespace}.{ground.ELSEWHERE}"
    found = []
    with ground.hop(ends) as running, tail(broker, ends.sink) as reader:
        with _feeding(broker, ends.source, 50.0):
            _wait(reader, 50)  # it has started, and imports and caches are warm
        for rate in rates:
            with _feeding(broker, elsewhere, rate):
                aside, _ = _stretch(meter, running, reader, seconds / 2)
            with _feeding(broker, ends.source, rate):
                whole, came = _stretch(meter, running, reader, seconds)
            share = aside.each_second()
            feeding = Spent(0.0, 0.0, share.broker * whole.seconds, 0.0, share.disk * whole.seconds)
            one = Fed(rate, came.count, came.commits, whole.since(feeding), came.delays)
            kept = one.events >= KEPT * rate * whole.seconds
            found += [one] if kept else []
            said = "" if kept else "; not kept up with, so left out"
            sys.stderr.write(f"{rate:,.0f}/s: {one.events} events, {one.commits} commits{said}\n")
    broker.remove(ends.source, ends.sink, ends.journal, elsewhere)
    return found


def _stretch(meter: Meter, running: Running, reader: Consumer, seconds: float) -> tuple[Spent, "_Came"]:
    """What is spent while it reads for so long, and what came; the time to settle is left out."""
    _during(reader, _SETTLE)
    before = meter.look(running)
    came = _during(reader, seconds)
    return meter.look(running).since(before), came


class _Came:
    """Records of one partition, as they were read. `commits`: offsets between them without one, one a transaction."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self._first = self._last = -1

    @property
    def count(self) -> int:
        return len(self.delays)

    @property
    def commits(self) -> int:
        return max(1, self._last - self._first + 1 - self.count)

    def poll(self, reader: Consumer, timeout: float) -> None:
        """Take what is there, or the next that comes in time."""
        first = reader.poll(timeout)
        if first is None:
            return
        records = [first, *reader.consume(_AT_ONCE, 0)]
        now = time.time()
        for record in records:
            if record.error() is None:
                self._last = record.offset() or 0
                self._first = self._last if self._first < 0 else self._first
                self.delays.append(now - inputs.sent(record.value() or b""))


def _during(reader: Consumer, seconds: float) -> _Came:
    came, until = _Came(), time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        came.poll(reader, min(left, 0.1))
    return came


def _wait(reader: Consumer, count: int) -> None:
    came, until = _Came(), time.monotonic() + PATIENCE
    while came.count < count:
        if time.monotonic() > until:
            raise TimeoutError(f"only {came.count} of the first {count} came through")
        came.poll(reader, 0.2)


class _Feeder(threading.Thread):
    """Sends at a steady pace until it is stopped."""

    def __init__(self, broker: Broker, topic: str, rate: float) -> None:
        super().__init__(daemon=True)
        self._producer, self._topic, self._rate = broker.producer(), topic, rate
        self.over = threading.Event()

    def run(self) -> None:
        begun, sent, names = time.monotonic(), 0, uuid.uuid4().int >> 32 << 32  # no id comes twice
        while not self.over.is_set():
            due = int((time.monotonic() - begun) * self._rate) + 1
            while sent < due:
                record = ground.event(names + sent, SIZE)
                self._producer.produce(self._topic, record.value, record.key, headers=record.headers)
                sent += 1
            self._producer.poll(0)
            time.sleep(max(_TICK, begun + sent / self._rate - time.monotonic()))
        self._producer.flush(PATIENCE)


@contextmanager
def _feeding(broker: Broker, topic: str, rate: float) -> Iterator[_Feeder]:
    feeder = _Feeder(broker, topic, rate)
    feeder.start()
    try:
        yield feeder
    finally:
        feeder.over.set()
        feeder.join()
