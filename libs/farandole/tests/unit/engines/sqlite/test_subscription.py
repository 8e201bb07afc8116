"""A member amid what may happen at the same time: cancelled polls, releases under way, failures while joining."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path

import apsw
import pytest

from farandole.engines.sqlite import groups, maintain
from farandole.engines.sqlite.lock import FileLock
from farandole.engines.sqlite.log import SqliteLog
from farandole.engines.sqlite.opening import lock_path
from farandole.engines.sqlite.process import this_process
from farandole.engines.sqlite.requests import Txn
from farandole.events.errors import Fenced, LogUnavailable
from farandole.log.ports import Interest, Unit
from farandole.log.record import NewRecord, Record, TopicSpec
from libs.farandole.tests.unit.engines.sqlite.support import WORK, everything, numbered, only, opened, values

TOPICS = (TopicSpec("work"), TopicSpec("state", compacted=True))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


async def together(log: SqliteLog, *calls: Coroutine[object, object, object]) -> list[object]:
    """What calls give that are committed in one transaction: the writer is kept waiting before it."""
    lock = FileLock(lock_path(log.path), this_process())
    lock.acquire()
    ahead = asyncio.create_task(log.append(numbered(1)))  # the writer takes this one, and waits
    await asyncio.sleep(0.1)
    tasks = [asyncio.create_task(call) for call in calls]
    await asyncio.sleep(0.1)
    lock.release()
    lock.close()
    _, *answers = await asyncio.gather(ahead, *tasks, return_exceptions=True)
    return answers


async def test_a_cancelled_poll_loses_nothing(path: Path) -> None:
    """Neither a record nor the news of a lease, whenever it is cancelled."""
    async with opened(path, *TOPICS) as log:
        subscription = await log.subscribe(WORK)
        granted, found = [], list[Record]()
        for first in range(0, 60, 3):
            poll = asyncio.create_task(subscription.poll(limit=2, timeout=5))
            append = asyncio.create_task(log.append(numbered(3, first=first)))
            for _ in range(first):
                await asyncio.sleep(0)
            poll.cancel()
            try:
                polled = await poll
            except asyncio.CancelledError:
                pass
            else:
                granted += polled.granted
                found += polled.records
            await append
        while len(found) < 60:
            polled = await subscription.poll(limit=7, timeout=5)
            granted += polled.granted
            found += polled.records
        assert len(granted) == 1
        assert values(found) == [*range(60)]


async def test_a_poll_beside_a_release_invents_nothing(path: Path) -> None:
    """While a release is under way the lease is neither granted again nor lost; then it comes in a new epoch."""
    async with opened(path, *TOPICS) as log:
        subscription = await log.subscribe(WORK)
        lease = only(await subscription.poll(limit=1, timeout=5))
        for _ in range(20):
            release = asyncio.create_task(subscription.release(lease))
            await asyncio.sleep(0)
            subscription.leases_changed(expelled=False)
            polled = await subscription.poll(limit=1, timeout=5)
            await release
            while not polled.granted:
                assert polled.lost == []
                polled = await subscription.poll(limit=1, timeout=5)
            assert only(polled).epoch == lease.epoch + 1
            lease = only(polled)


async def test_a_release_that_fails_changes_nothing(path: Path) -> None:
    """The lease is held as before, its records come, and it can be released later."""
    async with opened(path, *TOPICS) as log:
        subscription = await log.subscribe(WORK)
        lease = only(await subscription.poll(limit=1, timeout=5))
        handle = log._handle
        run = handle.run

        async def fail(_: object) -> None:
            raise LogUnavailable("full")

        handle.run = fail  # type: ignore[method-assign,assignment]
        with pytest.raises(LogUnavailable):
            await subscription.release(lease)
        handle.run = run  # type: ignore[method-assign]
        await log.append(numbered(1))
        polled = await subscription.poll(limit=1, timeout=5)
        assert (polled.granted, polled.lost, values(polled.records)) == ([], [], [0])
        await subscription.release(lease)
        assert (await log.leases())["group/step"][0][0].epoch == lease.epoch + 1


async def test_joining_a_full_log_leaves_no_ghost(path: Path) -> None:
    """What could not be written is not taken for written: no member without a process, no lease that nobody has."""

    def full(_: Txn) -> None:
        raise apsw.FullError("database or disk is full")

    async with opened(path, *TOPICS) as log:
        answers = await together(log, log.subscribe(WORK), log._handle.run(full))
        assert [type(answer) for answer in answers] == [LogUnavailable, LogUnavailable]
        async with opened(path) as other:  # it gets the number that was not given after all
            await other.subscribe(Interest("other/step", "work"))
            subscription = await log.subscribe(WORK)
            only(await subscription.poll(limit=0, timeout=5))
            assert await asyncio.to_thread(maintain.check, path) == []
            assert log._handle._tools.pulse.handle != other._handle._tools.pulse.handle
        assert values((await subscription.poll(limit=1, timeout=5)).records) == [0]
    assert maintain.check(path) == []


async def test_a_member_that_closes_while_it_joins_is_gone(path: Path) -> None:
    """It holds nothing afterwards."""
    async with opened(path, *TOPICS) as log:
        subscription = await log.subscribe(WORK)
        await subscription.poll(limit=1, timeout=5)
        subscription.leases_changed(expelled=True)
        poll = asyncio.create_task(subscription.poll(limit=1, timeout=5))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await subscription.close()
        with pytest.raises(LogUnavailable):
            await poll
        other = await log.subscribe(WORK)
        await log._handle.run(lambda txn: groups.leave(txn, 1))  # of its first life, which was expelled
        assert only(await other.poll(limit=1, timeout=5)).partition == 0


async def test_a_state_is_not_restored_without_its_lease(path: Path) -> None:
    """Released, expelled, or of another epoch: Fenced, for somebody else may be writing it."""
    async with opened(path, *TOPICS) as log:
        interest = Interest("group/step", "work", state="state")
        subscription = await log.subscribe(interest)
        lease = only(await subscription.poll(limit=1, timeout=5))
        await subscription.commit([Unit(lease, [NewRecord("state", b"v", b"k")], {})])
        assert [row.value for row in await subscription.restore(lease)] == [b"v"]
        for gone in (lease._replace(epoch=lease.epoch + 1), lease._replace(partition=3)):
            with pytest.raises(Fenced, match="drop it"):
                await subscription.restore(gone)
        await log._handle.run(lambda txn: groups.expel(txn, [1]))
        with pytest.raises(Fenced):
            await subscription.restore(lease)


async def test_what_was_revoked_before_it_was_known_is_not_announced(path: Path) -> None:
    """Two members that join before either polls get their shares at once, and nothing to give back."""
    async with opened(path, TopicSpec("work", 4)) as log, opened(path) as other:
        members = [await log.subscribe(WORK), await other.subscribe(WORK)]
        polled = [await member.poll(limit=1, timeout=5) for member in members]
        assert [(len(p.granted), p.revoking) for p in polled] == [(2, []), (2, [])]


async def test_a_revoked_lease_gives_no_new_records(path: Path) -> None:
    """It is to be drained; what was polled of it still commits, and who gets it next reads the rest."""
    async with opened(path, TopicSpec("work", 2)) as log, opened(path) as other:
        subscription = await log.subscribe(WORK)
        leases = {lease.partition: lease for lease in (await subscription.poll(limit=1, timeout=5)).granted}
        heir = await other.subscribe(WORK)
        (going,) = (await subscription.poll(limit=1, timeout=5)).revoking
        await log.append([NewRecord("work", b"%d" % n, partition=n) for n in (0, 1)])
        polled = await subscription.poll(limit=9, timeout=5)
        assert [record.partition for record in polled.records] == [1 - going.partition]
        assert (await subscription.commit([Unit(leases[going.partition], [], {"work": 0})])).fenced == []
        await subscription.release(going)
        found: list[Record] = []
        while not found:
            found = (await heir.poll(limit=9, timeout=5)).records
        assert [record.partition for record in found] == [going.partition]
        assert len(await everything(log)) == 2
