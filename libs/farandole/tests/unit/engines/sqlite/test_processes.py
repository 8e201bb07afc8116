"""Real processes: killed at every point, stopped, stalled, starved of the disk; acknowledged is what stays."""

import asyncio
import os
import random
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from farandole.engines.sqlite.faults import POINTS
from farandole.engines.sqlite.maintain import check
from farandole.engines.sqlite.process import look
from farandole.log.ports import Polled
from farandole.log.record import NewRecord, TopicSpec
from libs.farandole.tests.unit.engines.sqlite.actors import UNAVAILABLE, WORK
from libs.farandole.tests.unit.engines.sqlite.stage import Actor, playing
from libs.farandole.tests.unit.engines.sqlite.support import Notes, everything, numbered, opened, values

pytestmark = pytest.mark.chaos

TOPICS = (TopicSpec("work"), TopicSpec("out"), TopicSpec("state", compacted=True))
INPUTS = 35
TAKE_OVER = 2.0
"""Seconds after its lease in which a silent member has to be replaced."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def acks_of(path: Path) -> Path:
    """Where an actor writes what was acknowledged, outside of the log."""
    return path.with_name("acks")


def numbers(acks: Path) -> list[int]:
    """What was acknowledged."""
    text = acks.read_text() if acks.exists() else ""
    return [int(line.split()[0]) for line in text.splitlines()]


def stands_still(actor: Actor) -> None:
    """Wait until a process is stopped."""
    deadline = time.monotonic() + 30
    while not ((seen := look(actor.pid)) and seen.stopped):
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def judge(path: Path) -> int:
    """The committed position, once outputs, rows and acknowledgements were found to fit it."""
    async with opened(path) as log:
        position = (await log.committed("group/step")).get(("work", 0), 0)
        assert values(await everything(log, "out")) == [*range(position)]
        assert {row.key for row in await everything(log, "state")} == {b"row-%d" % n for n in range(position)}
        assert max(numbers(acks_of(path)), default=0) <= position
    assert check(path) == []
    return position


@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_a_point_all_of_a_commit_is_there_or_nothing(path: Path, point: str) -> None:
    """SIGKILL at the first, second, … pass, one process after the other on one log: nothing acknowledged is lost."""
    async with opened(path, *TOPICS) as log:
        await log.append(numbered(INPUTS))
    position, kills = 0, 0
    while position < INPUTS:
        with playing("work", path, acks_of(path), fault=f"{point}:{kills % 3 + 1}") as actor:
            while position < INPUTS and actor.process.poll() is None:
                await asyncio.sleep(0.02)
                position = max(numbers(acks_of(path)), default=0)
            if position < INPUTS:
                assert actor.end() == -signal.SIGKILL
                kills += 1
        before, position = position, await judge(path)
        assert position >= before
    assert kills >= 2


async def test_killed_at_any_moment_nothing_acknowledged_is_lost(path: Path) -> None:
    """Two members at once, killed at random and replaced, until all is done; once each, in order."""
    chance = random.Random(7)
    async with opened(path, *TOPICS) as log:
        await log.append(numbered(400))
    position = 0
    while position < 400:
        with playing("work", path, acks_of(path)) as one, playing("work", path, acks_of(path)) as two:
            assert one.line() == two.line() == "ready"
            await asyncio.sleep(chance.random() * 0.1)
        position = await judge(path)


async def test_a_process_that_ends_is_replaced_at_once(path: Path) -> None:
    """Killed: nobody has to wait for its lease, because it can be seen that it is gone."""
    async with opened(path, *TOPICS, lease=30) as log:
        await log.append(numbered(1))
        with playing("hold", path, 30) as actor:
            assert actor.line() == "holding 1"
        started = time.monotonic()
        heir = await log.subscribe(WORK)
        assert len((await heir.poll(limit=1, timeout=20)).granted) == 1
        assert time.monotonic() - started < 5


async def test_a_stopped_member_is_replaced_and_then_fenced(path: Path) -> None:
    """SIGSTOP, take-over within lease + 2 s, SIGCONT: its commit is dropped, and it hears that it lost the lease."""
    lease = 1.5
    async with opened(path, *TOPICS, lease=lease) as log:
        await log.append(numbered(5))
        with playing("hold", path, lease) as zombie:
            assert zombie.line() == "holding 5"
            zombie.send(signal.SIGSTOP)
            started = time.monotonic()
            heir = await log.subscribe(WORK)
            polled = Polled([], [], [], [])
            while not polled.granted:
                polled = await heir.poll(limit=10, timeout=20)
            assert time.monotonic() - started < lease + TAKE_OVER
            await heir.restore(polled.granted[0])
            assert values((await heir.poll(limit=10, timeout=20)).records) == [0, 1, 2, 3, 4]
            zombie.send(signal.SIGCONT)
            zombie.tell("commit")
            assert await asyncio.to_thread(zombie.line) == "fenced 1"
            assert await asyncio.to_thread(zombie.line) == "lost 1"
        assert await everything(log, "out") == []
        assert await log.committed("group/step") == {}


@pytest.mark.parametrize("point", POINTS)
async def test_who_stops_inside_a_write_is_killed(path: Path, point: str) -> None:
    """Holding the writers' lock he would stop everybody: the others go on within 4 s, and say why."""
    notes = Notes()
    async with opened(path, *TOPICS, noted=notes) as log:
        with playing("append", path, acks_of(path), 100, fault=f"{point}:3:STOP") as zombie:
            await asyncio.to_thread(stands_still, zombie)
            started = time.monotonic()
            await log.append([NewRecord("out", b"0")])
            assert time.monotonic() - started < 4
            assert zombie.end() == -signal.SIGKILL
        assert "holder of the log's lock stood still and was killed" in notes.events
        assert values(await everything(log)) in ([0, 1], [0, 1, 2])
    assert check(path) == []


@pytest.mark.parametrize(("grace", "lost"), [(60, "lost 0"), (0, "lost 1")])
async def test_a_blocked_event_loop_keeps_its_lease_within_its_grace(path: Path, grace: int, lost: str) -> None:
    """Long Python code in a step is no silence, unless it lasts for longer than the grace."""
    lease = 0.9
    async with opened(path, *TOPICS, lease=lease) as log:
        with playing("block", path, lease, 4 * lease, grace) as actor:
            assert actor.line() == "holding 1"
            heir = await log.subscribe(WORK)
            granted = (await heir.poll(limit=1, timeout=3 * lease)).granted
            assert len(granted) == int(lost[-1])
            assert await asyncio.to_thread(actor.line) == lost


STRACE = ["strace", "-f", "-qq", "-e", "trace=fdatasync,fsync,write", "-e", "signal=none"]


@pytest.mark.parametrize("nth", [6, 13])
async def test_nothing_unsynced_is_acknowledged(path: Path, nth: int) -> None:
    """From the n-th fdatasync on the disk fails: what was not synced is never acknowledged, and the process ends."""
    assert shutil.which("strace"), "strace has to be installed"
    trace = path.with_name("trace")
    async with opened(path, TopicSpec("work")):
        pass
    strace = [*STRACE, "-o", str(trace), "-e", f"inject=fdatasync:error=EIO:when={nth}+"]
    with playing("append", path, acks_of(path), 200, before=strace) as actor:
        said = await asyncio.to_thread(actor.line)
        assert actor.end() == UNAVAILABLE
    assert re.match(r"unavailable: the log's file failed: IOError", said)
    acked = numbers(acks_of(path))
    assert 0 < len(acked) < nth
    synced = acknowledged = 0
    for line in trace.read_text().splitlines():
        failed = "EIO" in line
        synced += "fdatasync" in line and line.endswith("= 0")
        if re.search(r'write\(\d+, "\d+ \d+\\n"', line):
            acknowledged += 1
            assert acknowledged <= synced, "acknowledged before it was synced"
            assert not failed
    assert acknowledged == len(acked)
    after = trace.read_text().partition("EIO")[2]
    assert not re.search(r'write\(\d+, "\d+ \d+\\n"', after), "acknowledged after the disk failed"
    assert "fdatasync" not in after, "tried again after the disk failed"
    async with opened(path) as log:
        assert values(await everything(log))[: len(acked)] == acked
    assert check(path) == []


async def test_a_torn_end_of_the_wal_loses_nothing_acknowledged(path: Path, tmp_path: Path) -> None:
    """Cut or garbled anywhere behind the last acknowledgement, as a power failure may leave it."""
    async with opened(path, TopicSpec("work")):
        pass
    with playing("append", path, acks_of(path), 100, 3000, fault="after-commit:9") as actor:
        assert actor.end() == -signal.SIGKILL
    *_, (last, safe) = [map(int, line.split()) for line in acks_of(path).read_text().splitlines()]
    wal = path.with_name("log.db-wal").read_bytes()
    assert len(wal) > safe, "the ninth commit is in the WAL"
    chance = random.Random(3)
    for n in range(10):
        torn = bytearray(wal)
        where = chance.randrange(safe, len(wal))
        if n % 2:
            del torn[where:]
        else:
            torn[where:] = chance.randbytes(len(wal) - where)
        copy = tmp_path / f"copy-{n}.db"
        shutil.copyfile(path, copy)
        copy.with_name(f"{copy.name}-wal").write_bytes(torn)
        async with opened(copy) as log:
            assert values(await everything(log)) == [*range(last + 1)]
        assert check(copy) == []


async def test_writers_that_compete_all_make_progress(path: Path) -> None:
    """Three processes flat out: nobody has less than a fifth of the most."""
    async with opened(path, TopicSpec("work")):
        pass
    with playing("contend", path, 1.5) as a, playing("contend", path, 1.5) as b, playing("contend", path, 1.5) as c:
        actors: list[Actor] = [a, b, c]
        for actor in actors:
            assert actor.line() == "ready"
        for actor in actors:
            actor.tell()
        counts = [int(actor.line()) for actor in actors]
    assert min(counts) > max(counts) / 5, counts
    assert check(path) == []


@pytest.mark.slow
async def test_an_idle_handle_costs_next_to_nothing(path: Path) -> None:
    """A member that waits: the measure is 0.2 % of a core; thrice that is allowed on a busy machine."""
    async with opened(path, TopicSpec("work")):
        pass
    with playing("idle", path, 5) as actor:
        used = float(await asyncio.to_thread(actor.line))
    assert used / 5 < 0.006, f"{used / 5:.3%} of a core"


def test_an_actor_leaves_nothing_behind(tmp_path: Path) -> None:
    """The stage itself: whoever plays is gone afterwards."""
    with playing("seize", tmp_path / "log.db") as actor:
        assert actor.line() == "locked"
    with pytest.raises(ProcessLookupError):
        os.kill(actor.pid, 0)
