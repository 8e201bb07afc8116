"""Who is silent for longer than his lease loses what he holds; no wall clock, stall or blocked loop takes it sooner."""

import asyncio
import time
from functools import partial
from pathlib import Path

import apsw
import pytest

from farandole.engines.sqlite import clock, groups, registry
from farandole.engines.sqlite.log import SqliteLog
from farandole.engines.sqlite.pulse import Pulse
from farandole.engines.sqlite.requests import Txn
from farandole.log.record import TopicSpec
from libs.farandole.tests.unit.engines.sqlite.support import WORK, Notes, numbered, only, opened

PARTITION = TopicSpec("work")
TAKEN = "leases of a silent process were taken"


def pulse_of(log: SqliteLog) -> Pulse:
    """What beats for a handle."""
    return log._handle._tools.pulse


async def alter(log: SqliteLog, column: str, value: object) -> None:
    """Change what is known of every handle but the one that does it."""
    own = pulse_of(log).handle

    def apply(txn: Txn) -> None:
        txn.db.execute(f"UPDATE handle SET {column} = {value} WHERE id <> ?", (own or -1,))

    await log._handle.run(apply)


async def judged(log: SqliteLog) -> list[int]:
    """Whom the others would take for dead now."""
    host = pulse_of(log)._host

    def apply(txn: Txn) -> list[int]:
        return registry.find_dead(txn.db, pulse_of(log).handle, host.process.space, host.boot)[0]

    return await log._handle.run(apply)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


async def test_a_jump_of_the_wall_clock_takes_no_lease(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour forward or two back, seen by the holder and by the others."""
    async with opened(path, PARTITION, lease=0.6) as log, opened(path, lease=0.6) as other:
        subscription = await log.subscribe(WORK)
        lease = only(await subscription.poll(limit=1, timeout=5))
        heir = await other.subscribe(WORK)
        real = time.time, time.time_ns
        for jump in (3600, -7200):
            monkeypatch.setattr(time, "time", lambda jump=jump: real[0]() + jump)
            monkeypatch.setattr(time, "time_ns", lambda jump=jump: real[1]() + jump * 10**9)
            await log.append(numbered(1))
            polled = await heir.poll(limit=1, timeout=1.0)
            assert polled.granted == []
        assert [held for held, _ in (await log.leases())["group/step"]] == [lease]


async def test_leases_of_another_boot_are_free(path: Path) -> None:
    """After a restart of the machine its clock began anew: whatever it says, nobody of before lives."""
    async with opened(path, PARTITION) as log, opened(path) as other:
        await log.subscribe(WORK)
        assert await judged(other) == []
        await alter(other, "boot", "'another', beat = 1e12")
        assert await judged(other) == [1]


async def test_leases_of_a_process_that_ended_are_free_at_once(path: Path) -> None:
    """A killed process is not waited for; one whose pid means nothing here is."""
    async with opened(path, PARTITION) as log, opened(path) as other:
        await log.subscribe(WORK)
        await alter(other, "pid", "pid, started = started + 1")
        assert await judged(other) == [1]
        await alter(other, "space", "'another container'")
        assert await judged(other) == []


async def test_silence_counts_from_the_lease_of_the_silent(path: Path) -> None:
    """Each handle says for how long it may be silent."""
    async with opened(path, PARTITION, lease=50) as log, opened(path, lease=1) as other:
        await log.subscribe(WORK)
        await alter(other, "beat", "beat - 49")
        assert await judged(other) == []
        await alter(other, "beat", "beat - 2")
        assert await judged(other) == [1]


async def test_who_was_held_up_himself_does_not_judge(path: Path) -> None:
    """After a stall of the disk, the lock or the machine all look silent; one beat later the dead still do."""
    notes = Notes()
    async with opened(path, PARTITION, lease=50) as log, opened(path, noted=notes) as other:
        await log.subscribe(WORK)
        await other.subscribe(WORK)
        pulse = pulse_of(other)
        await alter(other, "beat", "beat - 100")
        for waited, last in ((3.0, clock.lease_now()), (0.0, clock.lease_now() - 5)):
            pulse._last = last
            assert await other._handle.run(partial(pulse.beat, waited=waited)) is False
        assert notes.events == []
        await other._handle.run(lambda txn: pulse.beat(txn, 0.0))
        assert notes.events == [TAKEN]


async def test_who_was_taken_for_dead_takes_part_again(path: Path) -> None:
    """It hears of it, its leases are lost, and its next poll joins anew."""
    notes = Notes()
    async with opened(path, PARTITION, lease=0.6, noted=notes) as log, opened(path, lease=0.6) as other:
        subscription = await log.subscribe(WORK)
        old = only(await subscription.poll(limit=1, timeout=5))
        await other._handle.run(lambda txn: groups.expel(txn, [1]))
        polled = await subscription.poll(limit=1, timeout=5)
        while not polled.granted:
            assert polled.lost in ([old], [])
            polled = await subscription.poll(limit=1, timeout=5)
        assert only(polled).epoch == old.epoch + 1
        assert "this process was taken for dead and lost its leases" in notes.events


async def test_a_blocked_loop_keeps_its_leases_for_a_while_only(path: Path) -> None:
    """Its writer beats on for `loop_grace`, then it does not."""
    async with opened(path, PARTITION, lease=0.6, loop_grace=5) as log, opened(path, lease=0.6) as other:
        await log.subscribe(WORK)
        beat = "SELECT beat FROM handle WHERE id = 1"
        db = apsw.Connection(str(path))
        try:
            for since, moves in ((4.0, True), (6.0, False)):
                pulse = pulse_of(log)
                assert log._handle._timer
                log._handle._timer.cancel()  # the loop is blocked: no tick
                pulse.progress = clock.lease_now() - since
                before = db.execute(beat).fetchall()
                await asyncio.sleep(0.3)
                assert (db.execute(beat).fetchall() != before) is moves
        finally:
            db.close()
        assert await other.topics()
