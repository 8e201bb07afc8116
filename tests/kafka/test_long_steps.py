"""A step that runs for many times the client's patience runs once, is not evicted, and keeps nobody else waiting."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import pytest

from farandole.client import AsyncClient
from farandole.engines.kafka import clients
from scripts.kafka import Cluster
from tests.kafka.dancers import begun, holding, sleeping, waiting
from tests.kafka.serving import awaited, records_of, serving

pytestmark = pytest.mark.slow

PATIENCE = 1.0  # of the client: `max.poll.interval.ms`, not below the lease
LONG = 20 * PATIENCE
WAITING = {"tests.kafka.dancers:waiting": waiting}
ROOT = Path(__file__).resolve().parents[2]
TAKEN_OVER = 10.0  # seconds within which somebody else goes on; the lease of 3 s is part of it
OVER_TEN = 15.0  # seconds: longer than a rebalance, shorter than the grace
SERVICES = {
    "tests.kafka.dancers:waiting": waiting,
    "tests.kafka.dancers:sleeping": sleeping,
    "tests.kafka.dancers:holding": holding,
}
DONE = ("done.loop", "done.thread", "done.process")


async def done(url: str, topic: str) -> list[str]:
    """Keys whose work is done, in the order in which it was."""
    return [json.loads(record.value or b"")["key"] for record in await records_of(url, topic)]


@pytest.fixture
def keys() -> list[str]:
    """Of long steps, none of which has begun."""
    begun.clear()
    return [f"long-{n}" for n in range(8)]


@pytest.fixture
def url(kafka: Cluster) -> str:
    """A log of its own, with short leases."""
    return f"kafka://{kafka.bootstrap}/l{uuid.uuid4().hex[:8]}?lease=3"


async def all_under_way(client: AsyncClient, keys: list[str]) -> None:
    """Return once every one has begun."""
    for key in keys:
        await client.publish("work.given", {"key": key, "seconds": OVER_TEN}, id=key)
    await until(lambda: begun.keys() == set(keys))


async def until(so: Callable[[], bool], within: float = 60.0) -> None:
    """Return once it is so. Raises TimeoutError."""
    async with asyncio.timeout(within):
        while not so():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)


async def test_a_scale_out_waits_for_what_runs_and_does_nothing_twice(url: str, keys: list[str]) -> None:
    """Both partitions have long steps under way when a second worker comes; then each worker has one of them."""
    async with AsyncClient(url) as client, serving(url, WAITING):
        await all_under_way(client, keys)
        async with serving(url, WAITING):
            await awaited(url, "done.loop", len(keys), within=OVER_TEN + 60)
            members = set[str]()
            async with asyncio.timeout(60):
                while len(members) < 2:
                    members = {member for _, member in (await client.log.leases())["waiting/wait"]}
        assert sorted(await done(url, "done.loop")) == keys
    assert begun == dict.fromkeys(keys, 1)


async def test_a_rolling_restart_whose_grace_covers_the_step_does_nothing_twice(url: str, keys: list[str]) -> None:
    """Two workers with long steps are replaced, one after the other."""
    async with AsyncClient(url) as client, AsyncExitStack() as later:
        async with AsyncExitStack() as two:
            await two.enter_async_context(serving(url, WAITING))
            async with serving(url, WAITING):
                await all_under_way(client, keys)
            await later.enter_async_context(serving(url, WAITING))
        await later.enter_async_context(serving(url, WAITING))
        await awaited(url, "done.loop", len(keys), within=OVER_TEN + 60)
        assert sorted(await done(url, "done.loop")) == keys
    assert begun == dict.fromkeys(keys, 1)


@contextmanager
def another(url: str, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker in a process of its own, which notes in `folder` what it begins."""
    env = os.environ | {"FARANDOLE_LOG": url, "FARANDOLE_PARTITIONS": "1", "MARKING_FOLDER": str(folder)}
    command = [sys.executable, "-m", "farandole", "run", "tests.kafka.dancers:marking"]
    with subprocess.Popen(command, cwd=ROOT, env=env | {"FARANDOLE_ASSETS": str(folder / "assets")}) as process:
        try:
            yield process
        finally:
            process.terminate()


async def taken(client: AsyncClient, group: str) -> None:
    """Return once somebody leases of it."""
    async with asyncio.timeout(60):
        while not (await client.log.leases()).get(group):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)


async def test_who_dies_in_a_long_step_is_replaced_within_ten_seconds(url: str, tmp_path: Path) -> None:
    """Two workers, one partition: whoever has begun is killed, the other begins it anew, and it ends once."""
    with another(url, tmp_path) as one, another(url, tmp_path) as two:
        async with AsyncClient(url) as client:
            await taken(client, "marking/mark")
            done = await client.publish("work.given", {"key": "long", "seconds": OVER_TEN}, id="long")
            marks = {process.pid: tmp_path / f"long-{process.pid}" for process in (one, two)}
            await until(lambda: any(mark.exists() for mark in marks.values()))
            dying, other = (one, two) if marks[one.pid].exists() else (two, one)
            dying.send_signal(signal.SIGKILL)
            killed = time.monotonic()
            await until(marks[other.pid].exists)
            taken_over = time.monotonic() - killed
            await client.wait(done.workflow, timeout=OVER_TEN + 30)
            assert len(await records_of(url, "done.thread")) == 1
    assert taken_over <= TAKEN_OVER


async def test_long_steps_run_once_and_other_keys_go_on(kafka: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the loop, in a thread, and in a process that holds the interpreter's lock: no lease is granted twice."""
    monkeypatch.setattr(clients, "MAX_POLL", PATIENCE)
    monkeypatch.setattr(clients, "MARGIN", PATIENCE / 4)
    url = f"kafka://{kafka.bootstrap}/l{uuid.uuid4().hex[:8]}?lease={PATIENCE:g}"
    async with serving(url, SERVICES, partitions=1, grace=PATIENCE / 2), AsyncClient(url) as client:
        long = await client.publish("work.given", {"key": "long", "seconds": LONG}, id="long")
        for n in range(5):
            await client.publish("work.given", {"key": f"short-{n}", "seconds": 0.0}, id=f"short-{n}")
        for topic in DONE:
            await awaited(url, topic, 5, within=LONG / 2)
        epochs = [lease.epoch for leases in (await client.log.leases()).values() for lease, _ in leases]
        await client.wait(long.workflow, timeout=LONG + 30)
        for topic in DONE:
            keys = await done(url, topic)
            assert sorted(keys) == ["long", *(f"short-{n}" for n in range(5))]
            assert keys[-1] == "long"
        after = [lease.epoch for leases in (await client.log.leases()).values() for lease, _ in leases]
    assert epochs == after == [1] * len(epochs)
