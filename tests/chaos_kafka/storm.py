"""Rebalance storms: a process of a service comes for a while, and a member that does nothing comes and goes.

Meanwhile positions of that service come late to the brokers, some of them after the next rebalance.
"""

import asyncio
import os
import random
import sys
import time
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Consumer

from farandole.runtime.guarded import Guard, Guarded, Spec
from tests.chaos_kafka import looks
from tests.chaos_kafka.diary import Diary
from tests.chaos_kafka.looks import TARGET
from tests.chaos_kafka.network import Network
from tests.support.stage import Stage

ROUNDS = 4
PERIOD = 2.0  # seconds
LATE_BY = (1.5, 4.0)  # seconds; a client gives up after 4.5
LATE_EACH = 3  # commits of a round
GRACE = 30.0
LEASE = 3.0


class Group(NamedTuple):
    """Whom a storm unsettles: Kafka's name, and of the topic that it reads; `bootstrap`: without the proxies."""

    bootstrap: str
    name: str
    topic: str


async def storm(stage: Stage, network: Network, diary: Diary, chance: random.Random, group: Group) -> None:
    """Unsettle one group for some rounds."""
    service = group.name.partition(".")[2].partition("/")[0]
    with diary.fault("storm", service):
        guard = Guard()
        extra = await asyncio.to_thread(_start, guard, stage, service)
        try:
            for _ in range(ROUNDS):
                running = await asyncio.to_thread(looks.services, stage.up)
                pids = [pid for pid, name in running.items() if name == service]
                with network.late_positions(pids, chance.uniform(*LATE_BY), LATE_EACH):
                    await asyncio.to_thread(_visit, *group)
                    await asyncio.sleep(PERIOD)
        finally:
            await asyncio.to_thread(_end, guard, extra)


def _start(guard: Guard, stage: Stage, service: str) -> Guarded:
    """A further process of a service; it ends with this one, however that ends."""
    argv = [sys.executable, "-m", "farandole", "run", f"{TARGET}{service}"]
    spec = Spec(argv[0], argv, dict(stage.env), str(stage.folder), grace=GRACE)
    with (stage.folder / "extra.log").open("ab") as log, Path(os.devnull).open("rb") as nothing:
        process = guard.start(spec, [nothing.fileno(), log.fileno(), log.fileno()])
    process.receive()
    return process


def _end(guard: Guard, extra: Guarded) -> None:
    """It is told to end, drains, and leaves its group."""
    extra.stop()
    while not extra.over:
        extra.receive()
    extra.close()
    guard.close()


def _visit(bootstrap: str, group: str, topic: str) -> None:
    """Join, take what is given, commit nothing, leave."""
    member = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": int(LEASE * 1000),
            "heartbeat.interval.ms": 500,
            "enable.auto.commit": False,
            "log_level": 2,
        }
    )
    member.subscribe([topic])
    deadline = time.monotonic() + PERIOD
    while time.monotonic() < deadline:
        member.poll(0.1)
    member.close()
