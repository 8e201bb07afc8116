"""How long all stands still beside a broker that fell silent: it answers nothing, and closes no connection.

    python -m tests.chaos_kafka.silence [--seconds S] [--json]

Orders are published at a steady pace; each of three nodes in turn is stopped for S seconds (45). Per node: the longest
that a publisher waited to be acknowledged, and that a delivery waited to be done. Exit 1 where an order was lost or
somebody waited for as long as the node was silent: then nobody has gone on without it.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka.admin import AdminClient
from rich.console import Console
from rich.table import Table

from farandole.client import AsyncClient
from scripts.kafka import Cluster, kafka_cluster
from tests.chaos_kafka.__main__ import NODES, SETTINGS
from tests.chaos_kafka.brokers import inner, wait_in_sync
from tests.chaos_kafka.chain import MARKS
from tests.chaos_kafka.checker import FIRST, LAST, read_log
from tests.chaos_kafka.looks import TARGET
from tests.chaos_kafka.run import LEASE, SERVICES, STARTS_WITHIN, python_path, serving
from tests.support.judging import Dicts
from tests.support.stage import Stage

PACE = 0.15  # seconds between two orders
PARTS, KEYS = 3, 64
CALM = 10.0  # seconds before the first silence
REST = 15.0  # seconds between two
ENDS_WITHIN = 60.0


class Wait(NamedTuple):
    """Since when (seconds since the epoch), for how long, and who."""

    began: float
    seconds: float
    who: str


class Silence(NamedTuple):
    """Of a node; times as above."""

    node: int
    began: float
    ended: float

    def longest(self, waits: Iterable[Wait]) -> Wait | None:
        """Of those that were waiting while it lasted."""
        beside = [wait for wait in waits if wait.began < self.ended and wait.began + wait.seconds > self.began]
        return max(beside, key=lambda wait: wait.seconds, default=None)


class Feed:
    """Orders at a steady pace, whoever waits."""

    def __init__(self, stage: Stage, client: AsyncClient) -> None:
        self._stage, self._client = stage, client
        self.waits: list[Wait] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`, and until each was acknowledged."""
        async with asyncio.TaskGroup() as group:
            number = 0
            while not stop.is_set():
                group.create_task(self._publish(number))
                number += 1
                await asyncio.sleep(PACE)

    async def _publish(self, number: int) -> None:
        began = time.time()
        data = {"key": f"k{number % KEYS}", "number": number, "parts": PARTS}
        while True:
            if await self._stage.publish(self._client, FIRST, data, f"order-{number}"):
                break
            await asyncio.sleep(PACE)  # refused: the same id again
        self.waits.append(Wait(began, time.time() - began, "publisher"))


def main() -> int:
    """Perform, show, judge."""
    parser = argparse.ArgumentParser(prog="silence", description="A broker stands still; how long do the others wait?")
    parser.add_argument("--seconds", type=float, default=45.0, help="of silence, each node in turn")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="farandole-silence-") as folder,
        kafka_cluster(NODES, config=SETTINGS, origins=("java",)) as cluster,
    ):
        report = asyncio.run(_perform(Path(folder), cluster, options.seconds))
    report |= {"seconds": options.seconds, "lease": LEASE, "settings": SETTINGS}
    if options.json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        _show(report)
    late = [one for one in report["nodes"] if max(one["publisher"], one["delivery"]) >= options.seconds]
    return 1 if late or report["lost"] else 0


async def _perform(folder: Path, cluster: Cluster, seconds: float) -> dict[str, Any]:
    namespace, beside = f"silence{uuid.uuid4().hex[:6]}", inner(cluster)
    (folder / "marks").mkdir()
    url = f"kafka://{cluster.bootstrap}/{namespace}?lease={LEASE:g}"
    env = {"PYTHONPATH": python_path(), MARKS: str(folder / "marks")}
    stage = Stage(folder, [f"{TARGET}{name}" for name in SERVICES], env, url=url)
    async with stage, AsyncClient(url) as client:
        await serving(client, STARTS_WITHIN)
        feed, stop = Feed(stage, client), asyncio.Event()
        feeding = asyncio.create_task(feed.run(stop))
        await asyncio.sleep(CALM)
        silences = [await _silence(cluster, number, seconds) for number in range(NODES)]
        stop.set()
        await feeding
        done = await _ended(beside, namespace, len(feed.waits))
    _, facts, _ = await asyncio.to_thread(read_log, beside, namespace)
    deliveries = _deliveries(facts)
    return {
        "orders": len(feed.waits),
        "lost": len(feed.waits) - done,
        "nodes": [_told(silence, feed.waits, deliveries) for silence in silences],
    }


async def _silence(cluster: Cluster, number: int, seconds: float) -> Silence:
    node = cluster.nodes[number]
    assert node.pid is not None
    sys.stderr.write(f"node {node.id} stands still\n")
    began = time.time()
    os.kill(node.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        os.kill(node.pid, signal.SIGCONT)
    ended = time.time()
    admin = AdminClient({"bootstrap.servers": inner(cluster), "log_level": 2})
    await asyncio.to_thread(wait_in_sync, admin, NODES)
    await asyncio.sleep(REST)
    return Silence(node.id, began, ended)


async def _ended(bootstrap: str, namespace: str, wanted: int) -> int:
    """How many orders have ended, when all have or the time is up."""
    deadline = time.monotonic() + ENDS_WITHIN
    while True:
        rows, _, _ = await asyncio.to_thread(read_log, bootstrap, namespace)
        done = len({json.loads(row.value)["number"] for row in rows if row.topic == LAST})
        if done >= wanted or time.monotonic() > deadline:
            return done
        await asyncio.sleep(1.0)


def _deliveries(facts: Dicts) -> list[Wait]:
    """From when the event was appended until its outcome was."""
    done = [fact for fact in facts if fact["fact"] == "completed" and fact.get("event", {}).get("time")]
    return [
        Wait(at, fact["appended"] - at, f"{fact['service']}, partition {fact['event']['at'][1]}")
        for fact in done
        for at in [fact["event"]["time"]]
    ]


def _told(silence: Silence, published: Sequence[Wait], deliveries: Sequence[Wait]) -> dict[str, Any]:
    longest = {"publisher": silence.longest(published), "delivery": silence.longest(deliveries)}
    told: dict[str, Any] = {name: round(wait.seconds, 1) if wait else 0.0 for name, wait in longest.items()}
    return {"node": silence.node, **told, "who": longest["delivery"].who if longest["delivery"] else ""}


def _show(report: dict[str, Any]) -> None:
    table = Table(
        title=f"{report['orders']} orders, {report['lost']} lost; each node silent for {report['seconds']:g} s"
    )
    for column in ("node", "longest publish (s)", "longest delivery (s)", "of"):
        table.add_column(column, justify="right")
    for one in report["nodes"]:
        table.add_row(str(one["node"]), f"{one['publisher']:g}", f"{one['delivery']:g}", one["who"])
    console = Console(width=110)
    console.print(table)
    console.print(f"lease {report['lease']:g} s; brokers: {report['settings']}")


if __name__ == "__main__":
    sys.exit(main())
