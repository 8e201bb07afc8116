"""What a process holds that has nothing to do: memory by the partitions that it leases, and connections."""

import asyncio
import sys
import time
import uuid
from typing import NamedTuple

from tests.bench_kafka.broker import Broker
from tests.bench_kafka.latency import READY
from tests.bench_kafka.running import Running
from tests.bench_scale import ground
from tests.bench_scale.meter import Meter

PARTITIONS = (1, 64)
_SETTLE = 1.5  # seconds after it has its partitions
_LOOK = 2.0


class Stands(NamedTuple):
    """`memory`: bytes of its own (USS), its children's too. `cores`: that it takes."""

    partitions: int
    memory: int
    connections: int
    cores: float


def stands(broker: Broker, meter: Meter, partitions: int) -> Stands:
    """Raises TimeoutError where it does not take its partitions."""
    name = f"stands-{uuid.uuid4().hex[:8]}"
    ends = asyncio.run(ground.made(broker, name, partitions=partitions))
    with ground.hop(ends) as running:
        _wait(running, broker, f"{name}.one/first", ends.source, partitions)
        time.sleep(_SETTLE)
        before = meter.look(running)
        time.sleep(_LOOK)
        cores = meter.look(running).since(before).each_second().worker
        family = running.family()
        memory = sum(member.memory_full_info().uss for member in family)
        connected = [
            each for member in family for each in member.net_connections("tcp") if each.status == "ESTABLISHED"
        ]
    found = Stands(partitions, memory, len(connected), cores)
    sys.stderr.write(f"{partitions} partitions: {memory / 2**20:.1f} MiB, {len(connected)} connections\n")
    return found


def _wait(running: Running, broker: Broker, group: str, topic: str, partitions: int) -> None:
    """Until the group has stated a position in each partition."""
    until = time.monotonic() + READY
    while len(broker.positions(group, topic)) < partitions:
        running.check()
        if time.monotonic() > until:
            raise TimeoutError(f"not all partitions are held after {READY:.0f} s; it said:\n{running.said()}")
        time.sleep(0.1)
