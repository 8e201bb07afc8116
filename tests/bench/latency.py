"""(b) Five hops at 200 events a second: in one process, and in five; beside this disk's fdatasync."""

import asyncio
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from farandole.engines.sqlite.log import SqliteLog
from farandole.events.codec import encode
from farandole.events.envelope import Envelope
from farandole.log.record import NewRecord, TopicSpec
from farandole.runtime.host import Host, Options
from tests.bench import hand
from tests.bench.bars import Bar, percentile
from tests.bench.chain import SERVICES, Hop0, Hop5

HOPS = 5
RATE = 200.0
EVENTS = 1500
Serve = Callable[[Path], AbstractAsyncContextManager[None]]
WARM = 200  # first events, not counted: imports and caches


def run(events: int = EVENTS) -> list[Bar]:
    """p50 and p99 of the chain, from before the publish until an outsider reads the end of the chain."""
    disk, bare = fdatasync_ms(), (HOPS + 1) * bare_commit_ms()
    bars: list[Bar] = []
    for name, serve, p50, p99 in (
        ("one process", _in_this_process, 3.0, 15.0),
        ("five processes", _in_five_processes, 4.0, 25.0),
    ):
        with tempfile.TemporaryDirectory(prefix="farandole-bench-") as folder:
            times = asyncio.run(_measure(Path(folder) / "log.db", serve, events))
        note = f"fdatasync p50 {disk:.2f} ms; {HOPS + 1} bare commits {bare:.2f} ms; max {max(times):.1f} ms"
        sys.stderr.write(f"latency {name}: p50 {percentile(times, 0.5):.2f}, p99 {percentile(times, 0.99):.2f} ms\n")
        bars.append(Bar(f"5 hops at 200/s, {name}, p50", percentile(times, 0.5), p50, "ms", False, note=note))
        bars.append(Bar(f"5 hops at 200/s, {name}, p99", percentile(times, 0.99), p99, "ms", False))
    return bars


def fdatasync_ms(count: int = 200) -> float:
    """Median milliseconds of writing 4 KiB and fdatasync, in the folder that the bench uses."""
    times = []
    with tempfile.NamedTemporaryFile(prefix="farandole-bench-") as file:
        for _ in range(count):
            os.write(file.fileno(), os.urandom(4096))
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def bare_commit_ms(count: int = 400) -> float:
    """Median milliseconds of what a hop must write at least: two rows and a cursor, committed with FULL; no dance."""
    times = []
    with tempfile.TemporaryDirectory(prefix="farandole-bench-") as folder:
        db = hand.fill(Path(folder) / "bare.db", [])
        for number in range(count):
            begun = time.perf_counter()
            with db:
                db.execute("INSERT INTO sink(data) VALUES (?)", (b"x" * 500,))
                db.execute("INSERT INTO journal(data) VALUES (?)", (b"x" * 500,))
                db.execute("UPDATE cursor SET position = ? WHERE name = 'hop'", (number,))
            times.append((time.perf_counter() - begun) * 1000)
        db.close()
    return statistics.median(times)


async def _measure(path: Path, serve: Serve, events: int) -> list[float]:
    log = await SqliteLog.open(path)
    try:
        await log.ensure([TopicSpec(f"hop{n}", 1) for n in range(6)])
        async with serve(path):
            return await _drive(log, events)
    finally:
        await log.close()


async def _drive(log: SqliteLog, events: int) -> list[float]:
    reader = await log.reader(["hop5"])
    await _send(log, 1)
    while not await reader.poll(timeout=60.0):  # the services are still starting
        pass
    total = events + WARM
    sending = asyncio.create_task(_send(log, total))
    times: list[float] = []
    while len(times) < total:
        records = await reader.poll(timeout=30.0)
        now = time.time()
        if not records:
            raise RuntimeError(f"only {len(times)} of {total} came through in time")
        times.extend((now - Hop5.read(r.value or b"").sent) * 1000 for r in records)
    await sending
    await reader.close()
    return times[WARM:]


async def _send(log: SqliteLog, total: int) -> None:
    begun = time.perf_counter()
    for number in range(total):
        await asyncio.sleep(max(0.0, begun + number / RATE - time.perf_counter()))
        event = Hop0(key=f"k{number % 50}", sent=time.time(), note="x" * 120)
        parts = encode(Envelope(secrets.token_hex(8), "bench", "hop0", 1, event.data(), event.key))
        await log.append([NewRecord("hop0", parts.value, parts.key, parts.headers)])


@asynccontextmanager
async def _in_this_process(path: Path) -> AsyncIterator[None]:
    log = await SqliteLog.open(path)
    stop = asyncio.Event()
    begun = [asyncio.Event() for _ in SERVICES]
    sys.setswitchinterval(0.0005)
    options = Options(partitions=1)
    hosts = [Host(service, log, options=options) for service in SERVICES]
    serving = [asyncio.create_task(h.run(stop, e)) for h, e in zip(hosts, begun, strict=True)]
    for event in begun:
        await event.wait()
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*serving)
        await log.close()


@asynccontextmanager
async def _in_five_processes(path: Path) -> AsyncIterator[None]:
    environment = os.environ | {"FARANDOLE_LOG": f"sqlite:///{path}", "FARANDOLE_LOG_LEVEL": "WARNING"}
    command = [sys.executable, "-m", "farandole", "run"]
    processes = [
        await asyncio.create_subprocess_exec(*command, f"tests.bench.chain:{service.name}", env=environment)
        for service in SERVICES
    ]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        await asyncio.gather(*(process.wait() for process in processes))
