"""`farandole observe` as a process: it follows the log, shares it with another, and ends in order."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from farandole.engines.open import open_log
from farandole.log.ports import Log
from farandole_observe.store import shards
from farandole_observe.store.opening import open_store
from tests.observe import written
from tests.observe.given import fill, hash_of, opened

pytestmark = pytest.mark.e2e
_PATIENCE = 30.0


@contextmanager
def projector(log: str, store: str, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """One that is killed at the end, if it is there still."""
    argv = [sys.executable, "-m", "farandole", "observe", "--log", log, "--store", store, "--name", name]
    with subprocess.Popen(argv) as process:
        try:
            yield process
        finally:
            process.kill()


async def _until_equal(store_url: str, whole: str) -> None:
    store = await open_store(store_url)
    try:
        until = time.monotonic() + _PATIENCE
        while await hash_of(store) != whole:
            assert time.monotonic() < until, "the tables never became what one fold of the log makes"
            await asyncio.sleep(0.1)
    finally:
        await store.close()


async def _until_owned(store_url: str, log: Log, names: set[str]) -> None:
    store = await open_store(store_url)
    try:
        until = time.monotonic() + _PATIENCE
        while True:
            async with store.reading() as connection:
                found = await shards.owners(connection, log.clock.now())
            if set(found.values()) == names and (not names or len(found) == written.PARTITIONS):
                return
            assert time.monotonic() < until, f"the shards are still {found}"
            await asyncio.sleep(0.1)
    finally:
        await store.close()


async def test_two_projectors_follow_the_log_one_is_killed_and_the_other_ends_in_order(tmp_path: Path) -> None:
    """Killed without a word, its shards are taken over; stopped, they are given back."""
    records = written.shuffled(written.lines_of(written.played(2)), 2)
    async with opened() as (memory, whole_store):
        await fill(memory, whole_store, records)
        whole = await hash_of(whole_store)
    url, tables = f"sqlite:///{tmp_path}/log.db", f"sqlite:///{tmp_path}/tables.db"
    log = await open_log(url)
    try:
        await written.make_topics(log, records)
        with projector(url, tables, "one") as one, projector(url, tables, "other") as other:
            half = len(records) // 2
            await log.append(records[:half])
            await _until_owned(tables, log, {"one", "other"})
            one.kill()
            await log.append(records[half:])
            await _until_equal(tables, whole)
            await _until_owned(tables, log, {"other"})
            other.send_signal(signal.SIGTERM)
            assert other.wait(_PATIENCE) == 0
        await _until_owned(tables, log, set())
    finally:
        await log.close()
