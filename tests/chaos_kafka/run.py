"""One run: five services on three brokers, faults by a plan, healing, and the figures; judges nothing itself."""

import asyncio
import os
import random
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka.admin import AdminClient

from farandole.client import AsyncClient
from scripts.kafka import Cluster
from tests.chaos.looks import marked
from tests.chaos_kafka.attack import Attack
from tests.chaos_kafka.brokers import break_brokers, inner, wait_in_sync
from tests.chaos_kafka.chain import MARKS
from tests.chaos_kafka.checker import read_log
from tests.chaos_kafka.diary import Diary
from tests.chaos_kafka.healing import Healing
from tests.chaos_kafka.looks import TARGET
from tests.chaos_kafka.network import Network, network
from tests.chaos_kafka.publisher import Publisher
from tests.chaos_kafka.storm import Group, storm
from tests.chaos_kafka.takeover import takeovers
from tests.support.stage import Stage
from tests.support.traces import connected

ROOT = Path(__file__).resolve().parents[2]
LEASE = 3.0  # seconds
SERVICES = ("checking", "checking", "cutting", "working", "working", "gathering", "closing")
GROUPS = {
    "checking/check": "order.taken",
    "cutting/cut": "order.checked",
    "working/work": "part.cut",
    "gathering/gather/part.worked": "part.worked",  # its forwarder
    "gathering/gather": "gathering.gather.inbox",
    "closing/close": "order.gathered",
}
"""What reads what."""
STARTS_WITHIN = 120.0
HEALS_WITHIN = 120.0  # waited so long; what is asked for is in `verdict`
CALM = 5.0  # seconds of work before the first fault
STORM_EACH = 15  # kills: one storm for so many, one at least
STORM_REST = (5.0, 15.0)


class Plan(NamedTuple):
    """What is to be done. `seconds`: no fault begins afterwards."""

    kills: int
    brokers: int
    network: int
    seed: int
    seconds: float


class _Scene(NamedTuple):
    """Who is struck."""

    stage: Stage
    cluster: Cluster
    network: Network
    diary: Diary
    namespace: str


async def perform(folder: Path, cluster: Cluster, ports: Mapping[int, int], plan: Plan) -> dict[str, Any]:
    """The report, but for the verdict; `folder` holds acknowledgements, faults and the services' output.

    `ports`: by node, the one that it names to clients, for a proxy before it.
    """
    async with network(cluster, ports) as between:
        return await _perform(folder, cluster, between, plan)


async def _perform(folder: Path, cluster: Cluster, between: Network, plan: Plan) -> dict[str, Any]:
    namespace, beside = f"chaos{uuid.uuid4().hex[:6]}", inner(cluster)
    marks = folder / "marks"
    marks.mkdir()
    url = f"kafka://{between.bootstrap}/{namespace}?lease={LEASE:g}"
    env = {"PYTHONPATH": python_path(), MARKS: str(marks), "FARANDOLE_LOG_LEVEL": "INFO"}  # who leases what, and when
    stage = Stage(folder, [f"{TARGET}{name}" for name in SERVICES], env, url=url)
    diary = Diary(folder / "faults.jsonl")
    chance = random.Random(plan.seed)
    publisher = Publisher(stage, beside, namespace, random.Random(chance.random()))
    async with stage, AsyncClient(url) as client:
        await serving(client, STARTS_WITHIN)
        stop = asyncio.Event()
        publishing = asyncio.create_task(publisher.run(client, stop))
        await asyncio.sleep(CALM)
        attack = Attack(stage, between, marks, diary, kills=plan.kills, chance=random.Random(chance.random()))
        await _faults(_Scene(stage, cluster, between, diary, namespace), plan, attack)
        stop.set()
        await publishing
        healing = await _heal(stage, client, publisher, Healing(beside, _reads(namespace)))
    publisher.close()
    rows, facts, _ = await asyncio.to_thread(read_log, beside, namespace)
    return {
        "plan": plan._asdict(),
        "namespace": namespace,
        "lease": LEASE,
        "faults": diary.tally(),
        "orders": {"accepted": publisher.accepted, "refused": publisher.refused},
        **healing,
        "takeover": takeovers(diary.entries, rows, facts),
        "traces": await connected(f"kafka://{beside}/{namespace}", facts),
        "orphans": marked(stage.token),
    }


async def serving(client: AsyncClient, within: float) -> None:
    """Until every service has declared itself and every partition is leased. Raises TimeoutError."""
    async with asyncio.timeout(within):
        while True:
            known = {m.service for m in (await client.observe()).manifests.values()}
            leased = await client.log.leases()
            if known >= set(SERVICES) and all(leased.get(group) for group in GROUPS):
                return
            await asyncio.sleep(0.5)


async def _faults(scene: _Scene, plan: Plan, attack: Attack) -> None:
    """All kinds side by side, until each has made its own or the time is up."""
    chance = random.Random(plan.seed)
    chances = [random.Random(chance.random()) for _ in range(3)]
    cluster, diary = scene.cluster, scene.diary
    ways = [
        break_brokers(cluster, diary, faults=plan.brokers, kills=plan.kills, chance=chances[0]),
        scene.network.trouble(diary, faults=plan.network, kills=plan.kills, chance=chances[1]),
        attack.run(LEASE),
        _storms(scene, plan.kills, chances[2]),
    ]
    try:
        async with asyncio.timeout(plan.seconds), asyncio.TaskGroup() as group:
            for way in ways:
                group.create_task(way)
    except TimeoutError:
        with diary.fault("out of time"):
            for node in cluster.nodes:  # what was under way may have left one down
                await asyncio.to_thread(node.start)
            admin = AdminClient({"bootstrap.servers": inner(cluster), "log_level": 2})
            await asyncio.to_thread(wait_in_sync, admin, len(cluster.nodes))


async def _storms(scene: _Scene, kills: int, chance: random.Random) -> None:
    for _ in range(-(-kills // STORM_EACH)):
        await asyncio.sleep(chance.uniform(*STORM_REST))
        group, topic = chance.choice(_reads(scene.namespace))
        ground = Group(inner(scene.cluster), group, topic)
        await storm(scene.stage, scene.network, scene.diary, chance, ground)


async def _heal(stage: Stage, client: AsyncClient, publisher: Publisher, healing: Healing) -> dict[str, Any]:
    """Everything ends, then nothing lags and no transaction is open."""
    sys.stderr.write("healing\n")
    began = time.monotonic()
    missing = await publisher.ended(HEALS_WITHIN)
    ended = time.monotonic() - began
    left = (await asyncio.to_thread(healing.wait, max(1.0, HEALS_WITHIN - ended)))[1]
    settled = time.monotonic() - began
    states = await stage.finished(client, 30.0)
    return {
        "healing": {"ended_after": round(ended, 1), "settled_after": round(settled, 1)},
        "missing": missing,
        "left": left,
        "unfinished": {s.workflow: s.status for s in states if s.status != "complete"},
    }


def python_path() -> str:
    """Services run in a folder of their own, and have to find the chain."""
    return os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT))))


def _reads(namespace: str) -> list[tuple[str, str]]:
    return [(f"{namespace}.{group}", f"{namespace}.{topic}") for group, topic in GROUPS.items()]
