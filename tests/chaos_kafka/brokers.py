"""Broker faults: kill -9 and restart, and rolling clean restarts; never two nodes down at once."""

import asyncio
import random
import sys
import time

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from scripts.kafka import Cluster, Node
from tests.chaos_kafka.diary import Diary

START = 120.0  # seconds for a node to answer on a busy machine
DOWN = (0.5, 4.0)  # seconds that a killed node stays away
REST = (2.0, 6.0)  # seconds between two faults
ROLL_EACH = 3  # faults


async def break_brokers(cluster: Cluster, diary: Diary, *, faults: int, kills: int, chance: random.Random) -> None:
    """Every third fault is a rolling restart, the others kill one node. Each ends with all replicas in sync.

    They are spread over the `kills` of services, with as many of these before the first as between two.
    """
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap, "log_level": 2})
    for number in range(faults):
        await asyncio.sleep(chance.uniform(*REST))
        await diary.reached("kill", kills * (number + 1) // (faults + 1))
        if number % ROLL_EACH == 1:
            with diary.fault("rolling restart"):
                for node in cluster.nodes:
                    await asyncio.to_thread(_bounce, admin, cluster, node, None)
        else:
            node, down = chance.choice(cluster.nodes), chance.uniform(*DOWN)
            with diary.fault("broker kill"):
                await asyncio.to_thread(_bounce, admin, cluster, node, down)
        sys.stderr.write(f"broker faults {number + 1}/{faults}\n")


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
