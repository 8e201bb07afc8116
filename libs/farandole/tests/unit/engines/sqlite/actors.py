"""Programs that tests start as processes of their own: `python actors.py NAME LOG ARGUMENTS…`."""

import asyncio
import fcntl
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from farandole.engines.sqlite.lock import FileLock
from farandole.engines.sqlite.log import SqliteLog
from farandole.engines.sqlite.opening import lock_path
from farandole.engines.sqlite.process import this_process
from farandole.events.errors import LogUnavailable
from farandole.log.ports import Interest, Lease, Unit
from farandole.log.record import NewRecord, Record, TopicSpec

WORK = Interest("group/step", "work", state="state")
UNAVAILABLE = 3
"""Exit code of who found that the log cannot be written."""
_PATIENCE = 30.0


def say(text: str) -> None:
    """One line to who started this."""
    print(text, flush=True)


def heard() -> str:
    """One line from him."""
    return sys.stdin.readline().strip()


async def append(path: Path, acks: str, count: str, size: str = "100") -> None:
    """Append records one by one; each one's number goes to the acks once it is durable, with the WAL's size."""
    log = await SqliteLog.open(path)
    await log.ensure([TopicSpec("work")])
    out = os.open(acks, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    wal = f"{path}-wal"
    for n in range(int(count)):
        await log.append([NewRecord("work", b"%d" % n, b"k", (("pad", bytes(int(size))),))])
        os.write(out, b"%d %d\n" % (n, os.stat(wal).st_size))
    await log.close()


async def work(path: Path, acks: str, lease: str = "6") -> None:
    """Take part: an output and a row per record, committed a few at a time; acks tell the position."""
    log = await SqliteLog.open(path, lease=float(lease))
    subscription = await log.subscribe(WORK)
    out = os.open(acks, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    held: dict[int, Lease] = {}
    say("ready")
    while True:
        polled = await subscription.poll(limit=7, timeout=_PATIENCE)
        for lost in (*polled.lost, *polled.revoking):
            await subscription.release(lost)
            held.pop(lost.partition, None)
        for granted in polled.granted:
            held[granted.partition] = granted
            await subscription.restore(granted)
        if polled.records and polled.records[0].partition in held:
            unit = outcome(held[polled.records[0].partition], polled.records)
            if not (await subscription.commit([unit])).fenced:
                os.write(out, b"%d\n" % unit.positions["work"])


def outcome(lease: Lease, records: list[Record]) -> Unit:
    """An output and a row for each record."""
    outputs = [NewRecord("out", record.value, b"k") for record in records]
    rows = [NewRecord("state", record.value, b"row-%d" % record.offset, (), record.partition) for record in records]
    return Unit(lease, [*outputs, *rows], {"work": records[-1].offset + 1})


async def hold(path: Path, lease: str) -> None:
    """Poll everything, say so, and commit it when told to; then say how many units were fenced."""
    log = await SqliteLog.open(path, lease=float(lease))
    subscription = await log.subscribe(WORK)
    records: list[Record] = []
    granted: list[Lease] = []
    while not records:
        polled = await subscription.poll(limit=100, timeout=_PATIENCE)
        granted += polled.granted
        for one in polled.granted:
            await subscription.restore(one)
        records += polled.records
    say(f"holding {len(records)}")
    await asyncio.to_thread(heard)
    committed = await subscription.commit([outcome(granted[0], records)])
    say(f"fenced {len(committed.fenced)}")
    polled = await subscription.poll(limit=1, timeout=_PATIENCE)
    say(f"lost {len(polled.lost)}")
    await log.close()


async def block(path: Path, lease: str, seconds: str, grace: str) -> None:
    """Hold a lease, and block the event loop."""
    log = await SqliteLog.open(path, lease=float(lease), loop_grace=float(grace))
    subscription = await log.subscribe(WORK)
    polled = await subscription.poll(limit=1, timeout=_PATIENCE)
    say(f"holding {len(polled.granted)}")
    time.sleep(float(seconds))  # noqa: ASYNC251 - this is what it is for
    polled = await subscription.poll(limit=1, timeout=_PATIENCE if grace == "0" else 0)
    say(f"lost {len(polled.lost)}")
    await log.close()


async def seize(path: Path) -> None:
    """Hold the writers' lock until killed."""
    lock = FileLock(lock_path(path), this_process())
    lock.acquire()
    say("locked")
    heard()
    lock.release()
    say("released")
    heard()


async def contend(path: Path, seconds: str) -> None:
    """Append as fast as possible from a given moment on; say how often that went well."""
    log = await SqliteLog.open(path)
    say("ready")
    heard()
    count, until = 0, time.monotonic() + float(seconds)
    while time.monotonic() < until:
        await log.append([NewRecord("work", b"v")])
        count += 1
    say(str(count))
    await log.close()


async def idle(path: Path, seconds: str) -> None:
    """Wait for records that do not come; say what that cost, in CPU seconds."""
    log = await SqliteLog.open(path)
    subscription = await log.subscribe(Interest("group/idle", "work"))
    await subscription.poll(limit=1, timeout=1)
    used, until = time.process_time(), time.monotonic() + float(seconds)
    while time.monotonic() < until:
        await subscription.poll(limit=1, timeout=until - time.monotonic())
    say(str(time.process_time() - used))
    await log.close()


ACTORS: dict[str, Callable[..., Awaitable[None]]] = {
    actor.__name__: actor for actor in (append, work, hold, block, seize, contend, idle)
}


def main() -> None:
    """Play one of them."""
    name, path, *arguments = sys.argv[1:]
    fcntl.fcntl(0, fcntl.F_GETFL)  # a closed stdin would make every wait end at once
    try:
        asyncio.run(_run(ACTORS[name](Path(path), *arguments)))
    except LogUnavailable as error:
        say(f"unavailable: {error}")
        os._exit(UNAVAILABLE)


async def _run(actor: Awaitable[None]) -> None:
    await actor


if __name__ == "__main__":
    main()
