"""A fan-out and the fan-in that gathers it, in one process: what a member costs."""

import asyncio
import sys
import time
import uuid
from typing import NamedTuple

from confluent_kafka import Consumer

from farandole.engines.kafka.log import KafkaLog
from farandole.events.codec import encode
from farandole.events.envelope import Envelope
from farandole.events.event import Event
from farandole.log.record import NewRecord, TopicSpec
from farandole.runtime.declare import Service
from tests.bench_kafka.broker import Broker
from tests.bench_kafka.latency import OUTSIDE, tail
from tests.bench_kafka.peers import Ends
from tests.bench_kafka.running import Running, targets
from tests.bench_kafka.throughput import PATIENCE
from tests.bench_scale.meter import Meter, Spent

MEMBERS = 100
BURSTS = 150
_LOOK = 0.02


class Burst(Event, type="burst", key="key"):
    """Published by the bench."""

    key: str
    many: int
    note: str


class Piece(Event, type="piece", key="name"):
    """A member."""

    name: str
    note: str


class Gathered(Event, type="gathered", key="key", final=True):
    """All of a burst."""

    key: str
    many: int


service = Service("grouping", accepts=[Burst])


@service.step
async def spread(event: Burst) -> list[Piece]:
    """Fan out."""
    return [Piece(name=f"{event.key}-{number}", note=event.note) for number in range(event.many)]


@service.step
async def gather(pieces: list[Piece]) -> Gathered:
    """Fan in."""
    return Gathered(key=pieces[0].name, many=len(pieces))


class Grouped(NamedTuple):
    """So many members were spread and gathered."""

    members: int
    spent: Spent


def grouped(broker: Broker, meter: Meter, bursts: int) -> Grouped:
    """Raises TimeoutError where not all are gathered in time."""
    name = f"groups-{uuid.uuid4().hex[:8]}"
    ends = Ends(broker.bootstrap, f"{name}.burst", f"{name}.gathered", "", name)
    asyncio.run(_topics(ends))
    with targets(["tests.bench_scale.groups:service"], ends) as running, tail(broker, ends.sink) as reader:
        asyncio.run(_publish(ends, 1))
        _gathered(reader, running, 1)  # it has started
        before = meter.look(running)
        asyncio.run(_publish(ends, bursts))
        _gathered(reader, running, bursts)
        spent = meter.look(running).since(before)
    sys.stderr.write(f"groups: {bursts * MEMBERS / spent.seconds:,.0f} members/s, {spent.worker:.2f} s of CPU\n")
    return Grouped(bursts * MEMBERS, spent)


async def _topics(ends: Ends) -> None:
    log = await KafkaLog.open(f"kafka://{ends.bootstrap}/{ends.namespace}")
    try:
        await log.ensure([TopicSpec("burst", 1), TopicSpec("gathered", 1)])
    finally:
        await log.close()


async def _publish(ends: Ends, bursts: int) -> None:
    log = await KafkaLog.open(f"kafka://{ends.bootstrap}/{ends.namespace}")
    try:
        await log.append([_record() for _ in range(bursts)])
    finally:
        await log.close()


def _record() -> NewRecord:
    burst = Burst(key=uuid.uuid4().hex, many=MEMBERS, note="x" * 240)
    made = encode(Envelope(burst.key, OUTSIDE, "burst", 1, burst.data(), burst.key))
    return NewRecord("burst", made.value, made.key, made.headers)


def _gathered(reader: Consumer, running: Running, count: int) -> None:
    until = time.monotonic() + PATIENCE
    while count:
        running.check()
        if time.monotonic() > until:
            raise TimeoutError(f"{count} are not gathered after {PATIENCE:.0f} s; it said:\n{running.said()}")
        record = reader.poll(_LOOK)
        count -= record is not None and record.error() is None
