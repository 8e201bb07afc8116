"""Broker faults: kill -9 and restart, a node that stands still, rolling clean restarts; never two nodes at once."""

import asyncio
import os
import random
import signal
import sys
import time

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from scripts.kafka import Cluster, Node
from tests.chaos_kafka.diary import KILL, ROLLING, STOP, Diary

START = 120.0  # seconds for a node to answer on a busy machine
DOWN = (0.5, 4.0)  # seconds that a killed node stays away
REST = (2.0, 6.0)  # seconds between two faults
WAYS = (KILL, KILL, STOP, KILL, KILL, ROLLING, KILL)
STILL = (2.0, 12.0)  # seconds that a node stands still: the quorum gives up on it after 6


def inner(cluster: Cluster) -> str:
    """Where an onlooker begins: beside the network that clients go through."""
    return ",".join(node.inner for node in cluster.nodes)


async def break_brokers(cluster: Cluster, diary: Diary, *, faults: int, kills: int, chance: random.Random) -> None:
    """By turns as `WAYS` says. Each ends with all replicas in sync.

    They are spread over the `kills` of services, with as many of these before the first as between two.
    """
    admin = AdminClient({"bootstrap.servers": inner(cluster), "log_level": 2})
    for number in range(faults):
        await asyncio.sleep(chance.uniform(*REST))
        await diary.reached("kill", kills * (number + 1) // (faults + 1))
        node = chance.choice(cluster.nodes)
        way = WAYS[number % len(WAYS)]
        with diary.fault(way):
            if way == ROLLING:
                for each in cluster.nodes:
                    await asyncio.to_thread(_bounce, admin, cluster, each, None)
            elif way == STOP:
                await asyncio.to_thread(_stand_still, admin, cluster, node, chance.uniform(*STILL))
            else:
                await asyncio.to_thread(_bounce, admin, cluster, node, chance.uniform(*DOWN))
        sys.stderr.write(f"broker faults {number + 1}/{faults}\n")


def _stand_still(admin: AdminClient, cluster: Cluster, node: Node, seconds: float) -> None:
    """Cut off from everybody, and back with all that it believed before."""
    pid = node.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_in_sync(admin, len(cluster.nodes))


def _bounce(admin: AdminClient, cluster: Cluster, node: Node, down: float | None) -> None:
    """Down and up again: killed for `down` seconds, or stopped in order."""
    if down is None:
        node.stop()
    else:
        node.kill()
        time.sleep(down)
    node.start(START)
    wait_in_sync(admin, len(cluster.nodes))


def wait_in_sync(admin: AdminClient, nodes: int, within: float = START) -> None:
    """Until every replica of every partition is in sync. Raises AssertionError after `within` seconds."""
    deadline = time.monotonic() + within
    behind = "nothing was heard"
    while time.monotonic() < deadline:
        try:
            metadata = admin.list_topics(timeout=5)
        except KafkaException as error:
            behind = str(error)
        else:
            parts = [(t, p) for t, topic in metadata.topics.items() for p in topic.partitions.values()]
            late = [f"{t}/{p.id}" for t, p in parts if len(p.isrs) < len(p.replicas) or p.leader < 0]
            if not late and len(metadata.brokers) == nodes:
                return
            behind = f"{len(late)} partitions behind ({late[:3]}), {len(metadata.brokers)} nodes"
        time.sleep(0.3)
    raise AssertionError(f"the brokers are not in sync after {within:g} s: {behind}")
