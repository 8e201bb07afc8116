"""(c) A durable sequential step, beside `eventsourcing`'s load-step-save on SQLite and a `dask.distributed` future."""

import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path
from uuid import UUID, uuid4

from distributed import Client, LocalCluster
from eventsourcing.application import Application

from farandole.engines.sqlite.log import SqliteLog
from farandole.events.codec import encode
from farandole.events.envelope import Envelope
from farandole.log.record import NewRecord, TopicSpec
from farandole.runtime.host import Host, Options
from tests.bench.bars import Bar, ratio_bar
from tests.bench.counter import Counter
from tests.bench.pingpong import Ping, service

STEPS = 1000
PAIRS = 7


def run(pairs: int = PAIRS, steps: int = STEPS) -> list[Bar]:
    """Ours as a share of each peer's; below 1 is cheaper."""
    against_events, against_dask, ours_ms = [], [], []
    logging.getLogger("distributed").setLevel(logging.ERROR)
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as dask,
    ):
        dask.submit(_next, 0).result()
        for number in range(pairs):
            ours = _ours(steps)
            by_events, by_dask = _eventsourcing(steps), _dask(dask, steps)
            against_events.append(ours / by_events)
            against_dask.append(ours / by_dask)
            ours_ms.append(ours / steps * 1000)
            sys.stderr.write(
                f"step {number + 1}/{pairs}: ours {ours / steps * 1000:.2f} ms, eventsourcing "
                f"{by_events / steps * 1000:.2f} ms, dask {by_dask / steps * 1000:.2f} ms\n"
            )
    note = f"ours {sorted(ours_ms)[len(ours_ms) // 2]:.2f} ms a step, FULL"
    return [
        ratio_bar("durable sequential step / eventsourcing on SQLite", against_events, 1.0, at_least=False, note=note),
        ratio_bar("durable sequential step / dask future", against_dask, 1.0, at_least=False),
    ]


def _ours(steps: int) -> float:
    with tempfile.TemporaryDirectory(prefix="farandole-bench-") as folder:
        return asyncio.run(_pingpong(Path(folder) / "log.db", steps))


async def _pingpong(path: Path, steps: int) -> float:
    log = await SqliteLog.open(path)
    stop, started = asyncio.Event(), asyncio.Event()
    await log.ensure([TopicSpec(name, 1) for name in ("ping", "pong", "rested")])
    serving = asyncio.create_task(Host(service, log, options=Options(partitions=1)).run(stop, started))
    await started.wait()
    reader = await log.reader(["rested"])
    begun = time.perf_counter()
    first = Ping(key="k", left=steps)
    parts = encode(Envelope("first", "bench", "ping", 1, first.data(), first.key))
    await log.append([NewRecord("ping", parts.value, parts.key, parts.headers)])
    while not await reader.poll(timeout=30.0):
        pass
    seconds = time.perf_counter() - begun
    await reader.close()
    stop.set()
    await serving
    await log.close()
    return seconds


def _eventsourcing(steps: int) -> float:
    with tempfile.TemporaryDirectory(prefix="farandole-bench-") as folder:
        environment = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": f"{folder}/events.db"}
        environment["IS_SNAPSHOTTING_ENABLED"] = "y"
        app: Application[UUID] = Application(env=environment)
        counter = Counter()
        app.save(counter)
        begun = time.perf_counter()
        for _ in range(steps):
            loaded: Counter = app.repository.get(counter.id)
            loaded.step()
            app.save(loaded)
            if loaded.version % 10 == 0:  # as its users do, or loading grows with the history
                app.take_snapshot(counter.id)
        return time.perf_counter() - begun


def _dask(client: Client, steps: int) -> float:
    begun = time.perf_counter()
    value = uuid4().int % 1000
    for _ in range(steps):
        value = client.submit(_next, value, pure=False).result()
    return time.perf_counter() - begun


def _next(value: int) -> int:
    return value + 1
