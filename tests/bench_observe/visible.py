"""(b) From an outcome's commit to its being seen in `status`, while facts come steadily and a projector folds."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from farandole.engines.open import open_log
from farandole.events.errors import NotFound
from farandole_observe.questions.asking import picture
from farandole_observe.store import shards
from farandole_observe.store.opening import Store, open_store
from tests.bench.bars import Bar, percentile
from tests.bench_observe import chains
from tests.support.postgres import postgres

RATE = 1000  # facts a second
SECONDS = 60.0
TICK = 0.05  # seconds between two commits
LOOK = 0.01  # seconds between two looks
PATIENCE = 30.0
Waiting = deque[tuple[str, float]]
"""Workflows whose last outcome is committed, and when that was."""


def run(seconds: float = SECONDS) -> list[Bar]:
    """The bar, with the tables in SQLite and in PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="farandole-bench-") as name:
        folder = Path(name)
        bars = [_measure(folder / "a.db", f"sqlite:///{folder / 'tables.db'}", "SQLite", seconds)]
        with postgres() as server:
            bars.append(_measure(folder / "b.db", server, "PostgreSQL", seconds))
    return bars


def _measure(path: Path, store: str, name: str, seconds: float) -> Bar:
    log = f"sqlite:///{path}"
    with _projector(log, store):
        delays = asyncio.run(_watched(log, store, seconds))
    p50, p99 = percentile(delays, 0.5), percentile(delays, 0.99)
    sys.stderr.write(f"visible in {name}: p50 {p50:.3f} s, p99 {p99:.3f} s, {len(delays)} outcomes\n")
    note = f"p50 {p50:.3f} s of {len(delays)} at {RATE} facts/s"
    return Bar(f"commit to status, p99, {name}", p99, 1.0, "s", False, (min(delays), max(delays)), note)


@contextmanager
def _projector(log: str, store: str) -> Iterator[None]:
    """`farandole observe`, in a process of its own."""
    command = [sys.executable, "-m", "farandole", "observe", "--log", log, "--store", store]
    with subprocess.Popen(command, env=os.environ | {"FARANDOLE_LOG_LEVEL": "WARNING"}) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(PATIENCE)


async def _watched(log_url: str, store_url: str, seconds: float) -> list[float]:
    log, store = await open_log(log_url), await open_store(store_url)
    await chains.prepare(log, 1)
    await _folds(store)
    waiting, delays, ended = Waiting(), list[float](), asyncio.Event()
    looking = asyncio.create_task(_look(store, waiting, delays, ended))
    count, begun = round(RATE * TICK), time.perf_counter()
    for tick in range(round(seconds / TICK)):
        flows = await chains.begin(log, range(tick * count, (tick + 1) * count))
        await log.append(chains.records(chains.facts(flows, 0)))
        waiting.append((flows[-1].workflow, time.perf_counter()))
        await asyncio.sleep(max(0.0, begun + (tick + 1) * TICK - time.perf_counter()))
    ended.set()
    async with asyncio.timeout(PATIENCE):
        await looking
    await store.close()
    await log.close()
    return delays


async def _folds(store: Store) -> None:
    """Return when the projector has all shards."""
    deadline, owners = time.monotonic() + PATIENCE, 0
    while owners < chains.PARTITIONS:
        assert time.monotonic() < deadline, "the projector does not begin"
        await asyncio.sleep(TICK)
        async with store.reading() as connection:
            owners = len(await shards.owners(connection, time.time()))


async def _look(store: Store, waiting: Waiting, delays: list[float], ended: asyncio.Event) -> None:
    """Ask how the workflow stands that waits for longest, until it is complete; then the next."""
    while waiting or not ended.is_set():
        if not waiting:
            await asyncio.sleep(LOOK)
            continue
        workflow, committed = waiting[0]
        async with picture(store, time.time()) as seen:
            try:
                status = (await seen.state(workflow)).summary.status
            except NotFound:
                status = "waiting"
        if status == "complete":
            delays.append(time.perf_counter() - committed)
            waiting.popleft()
        else:
            await asyncio.sleep(LOOK)
