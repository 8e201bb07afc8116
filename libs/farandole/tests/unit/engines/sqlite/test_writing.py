"""What commits together: each call for itself, in order, durable or refused, and never again after an I/O error."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from farandole.engines.sqlite import checkpoint, maintain
from farandole.engines.sqlite.database import is_final, unavailable
from farandole.engines.sqlite.log import SqliteLog
from farandole.engines.sqlite.opening import lock_path
from farandole.engines.sqlite.requests import Txn
from farandole.events.errors import LogUnavailable, RecordRefused
from farandole.log.ports import Lease, Unit
from farandole.log.record import NewRecord, TopicSpec
from libs.farandole.tests.unit.engines.sqlite.support import WORK, Notes, everything, numbered, only, opened, values

TOPICS = (TopicSpec("work"), TopicSpec("out"))
BIG = bytes(300_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def hold_back(log: SqliteLog) -> "asyncio.Future[None]":
    """Keep the writer from its next transaction until this is done, so that calls queue."""
    lock = log._handle._writer._parts.lock  # type: ignore[union-attr]
    gate = asyncio.get_running_loop().create_future()
    lock.acquire()  # this thread's turn; the writer waits in the queue

    def go(_: object) -> None:
        lock.release()

    gate.add_done_callback(go)
    return gate


async def set_limit(log: SqliteLog, pages: int) -> None:
    """Let the file grow to so many pages only: SQLite then says what it says on a full disk."""

    def apply(txn: Txn) -> None:
        txn.db.execute(f"PRAGMA max_page_count = {pages}")

    await log._handle.run(apply)


async def commits_of(log: SqliteLog) -> int:
    """How many transactions ended since the log was made, as far as frames tell."""
    db = apsw.Connection(str(log.path))
    ((count,),) = db.execute("SELECT count(DISTINCT time) FROM frame").fetchall()
    db.close()
    return int(str(count))


async def test_what_has_queued_commits_together_in_order(path: Path) -> None:
    """One transaction for many calls; a refused one is alone in that."""
    async with opened(path, *TOPICS) as log:
        first = asyncio.create_task(log.append(numbered(1)))
        calls = [asyncio.create_task(log.append(numbered(1, first=n))) for n in range(1, 200)]
        bad = asyncio.create_task(log.append([NewRecord("nowhere", b"v")]))
        await asyncio.gather(first, *calls)
        with pytest.raises(RecordRefused):
            await bad
        assert values(await everything(log)) == [*range(200)]
        assert await commits_of(log) < 20


async def test_a_full_disk_refuses_and_passes_when_freed(path: Path) -> None:
    """Nothing of the group is written, the file is sound, and a later call succeeds."""
    async with opened(path, *TOPICS) as log:
        await log.append(numbered(3))
        await set_limit(log, 40)
        answers = await asyncio.gather(
            *(log.append([NewRecord("work", BIG), *numbered(1, first=9)]) for _ in range(3)), return_exceptions=True
        )
        assert all(isinstance(answer, LogUnavailable) for answer in answers)
        assert "the disk of the log is full, nothing was written; free space and go on" in str(answers[0])
        assert values(await everything(log)) == [0, 1, 2]
        await set_limit(log, 10_000)
        await log.append([NewRecord("work", BIG)])
        assert len(await everything(log)) == 4
    assert maintain.check(path) == []


async def test_no_commit_overtakes_one_that_failed(path: Path) -> None:
    """Those called before the failure was known fail too, or a position would say that what was lost is done."""
    async with opened(path, *TOPICS) as log:
        await log.append(numbered(10))
        subscription = await log.subscribe(WORK)
        lease = only(await subscription.poll(limit=10, timeout=5))
        await set_limit(log, 40)

        async def commit(n: int, pad: bytes) -> bool:
            try:
                await subscription.commit(
                    [Unit(lease, [NewRecord("out", b"%d" % n), NewRecord("out", pad)], {"work": n})]
                )
            except LogUnavailable:
                return False
            return True

        large = asyncio.create_task(commit(1, BIG))
        await asyncio.sleep(0)
        await asyncio.gather(large, *(commit(n, b"") for n in range(2, 8)))
        position = (await log.committed("group/step")).get(("work", 0), 0)
        assert position == 0, "a later commit overtook the failed one"
        await set_limit(log, 10_000)
        assert await commit(1, b"")
        assert await commit(2, BIG)
        assert [r.value for r in await everything(log, "out") if r.value in (b"1", b"2")] == [b"1", b"2"]


async def test_after_an_io_error_the_handle_is_dead_for_good(path: Path) -> None:
    """Pending and later calls and polls raise; nothing is tried again, and closing does not write either."""
    notes = Notes()
    async with opened(path, *TOPICS, noted=notes) as log:
        await log.append(numbered(3))
        subscription, reader = await log.subscribe(WORK), await log.reader(["out"])
        await subscription.poll(limit=10, timeout=5)
        polls = [asyncio.create_task(p) for p in (subscription.poll(limit=1, timeout=60), reader.poll(timeout=60))]
        await asyncio.sleep(0.05)

        def fail(txn: Txn) -> None:
            txn.db.execute("INSERT INTO meta VALUES ('half', 'done')")
            raise apsw.IOError("disk I/O error")

        failing = [asyncio.create_task(c) for c in (log._handle.run(fail), log.append(numbered(1, first=7)))]
        done = await asyncio.gather(*failing, *polls, return_exceptions=True)
        assert [type(answer) for answer in done] == [LogUnavailable] * 4
        for call in (log.append(numbered(1)), log.topics(), subscription.poll(limit=1, timeout=0), reader.poll()):
            with pytest.raises(LogUnavailable, match=r"the log's file failed: IOError.*farandole log check"):
                await call
        await subscription.close()
        await reader.close()
    assert "the log cannot be written any more" in notes.events
    async with opened(path) as log:
        assert values(await everything(log)) in ([0, 1, 2], [0, 1, 2, 7])
        db = apsw.Connection(str(path))
        assert db.execute("SELECT * FROM meta WHERE name = 'half'").fetchall() == []
        db.close()
    assert maintain.check(path) == []


async def test_a_failed_checkpoint_ends_the_handle_too(path: Path) -> None:
    """Its thread's error is the handle's."""
    async with opened(path, *TOPICS) as log:
        writer = log._handle._writer
        assert writer
        writer._parts.checkpointer._failed(apsw.IOError("fsync of the file"))  # type: ignore[misc]
        await asyncio.to_thread(writer._thread.join)
        with pytest.raises(LogUnavailable, match="fsync of the file"):
            await log.append(numbered(1))


def test_which_errors_are_final() -> None:
    """Whatever may have lost data is; a full disk and a lock are not."""
    full, busy, shared, sync = apsw.FullError("full"), apsw.BusyError("busy"), apsw.IOError("shm"), apsw.IOError("sync")
    shared.extendedresult = apsw.SQLITE_IOERR_SHMSIZE  # type: ignore[attr-defined]
    sync.extendedresult = apsw.SQLITE_IOERR_FSYNC  # type: ignore[attr-defined]
    assert [is_final(error) for error in (full, busy, shared, sync, apsw.CorruptError("x"))] == [0, 0, 0, 1, 1]
    assert "disk of the log is full" in str(unavailable(shared))
    assert "another program held" in str(unavailable(busy))


async def test_another_program_in_the_file_is_waited_for(path: Path) -> None:
    """A shell that writes without our queue delays us, as long as it does not take all our patience."""
    async with opened(path, *TOPICS) as log:
        shell = apsw.Connection(str(path))
        shell.execute("BEGIN IMMEDIATE")
        append = asyncio.create_task(log.append(numbered(1)))
        await asyncio.sleep(0.3)
        assert not append.done()
        shell.execute("ROLLBACK")
        shell.close()
        await append


async def test_time_does_not_fall_when_the_clock_does(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set back by two hours, records of a partition go on with the last time there was; a new partition does not."""
    async with opened(path, *TOPICS, TopicSpec("table", compacted=True)) as log:
        before = time.time()
        await log.append([*numbered(1), NewRecord("table", b"1", b"k")])
        real = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: real() - 7200 * 10**9)
        await log.append([*numbered(1), NewRecord("table", b"2", b"k"), *numbered(1, "out")])
        first, second = await everything(log)
        assert before <= first.time == second.time
        assert (await everything(log, "table"))[0].time == first.time
        assert (await everything(log, "out"))[0].time < before
    assert maintain.check(path) == []


async def test_a_removed_lock_file_stops_nobody(path: Path) -> None:
    """While two handles write, it vanishes again and again: nothing is lost, doubled or damaged."""
    async with opened(path, *TOPICS) as one, opened(path) as two:
        for n in range(0, 60, 2):
            calls = [log.append(numbered(1, first=n + k)) for k, log in enumerate((one, two))]
            tasks = [asyncio.ensure_future(call) for call in calls]
            lock_path(path).unlink(missing_ok=True)
            await asyncio.gather(*tasks)
        assert sorted(values(await everything(one))) == [*range(60)]
    assert maintain.check(path) == []


async def test_a_cancelled_call_harms_no_other(path: Path) -> None:
    """Its records are there as a whole or not at all; what queued behind it commits."""
    async with opened(path, *TOPICS) as log:
        gate = hold_back(log)
        one, two = (asyncio.create_task(log.append(numbered(2, first=first))) for first in (0, 2))
        await asyncio.sleep(0.05)
        one.cancel()
        gate.set_result(None)
        await two
        assert values(await everything(log)) in ([0, 1, 2, 3], [2, 3])


async def test_a_lease_that_was_never_granted_is_fenced(path: Path) -> None:
    """Of another group, topic, partition or epoch, or held by another member: nothing of it is written."""
    async with opened(path, *TOPICS) as log, opened(path) as other:
        subscription = await log.subscribe(WORK)
        lease = only(await subscription.poll(limit=1, timeout=5))
        stranger = await other.subscribe(WORK)
        wrong = [
            lease._replace(group="other/step"),
            lease._replace(topic="out"),
            lease._replace(partition=7),
            lease._replace(partition=-1),
            lease._replace(epoch=lease.epoch + 1),
            Lease("group/step", "work", 0, 0),
        ]
        units = [Unit(one, [NewRecord("out", b"v")], {}) for one in wrong]
        assert (await subscription.commit(units)).fenced == units
        theirs = [Unit(lease, [NewRecord("out", b"v")], {})]
        assert (await stranger.commit(theirs)).fenced == theirs
        assert await everything(log, "out") == []


async def test_the_wal_stays_small_while_writing_goes_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints keep up outside of the commits, however few pauses these leave."""
    monkeypatch.setattr(checkpoint, "EVERY", 1_000_000)
    monkeypatch.setattr(checkpoint, "LARGE", 3_000_000)
    async with opened(path, *TOPICS) as log:
        for n in range(120):
            await log.append([NewRecord("work", BIG), *numbered(1, first=n)])
        assert size_of(path.with_name("log.db-wal")) < 12_000_000
        assert size_of(path) > 20_000_000
    assert not path.with_name("log.db-wal").exists()
    assert maintain.check(path) == []


def size_of(path: Path) -> int:
    """Bytes of a file."""
    return path.stat().st_size


def fill(ballast: Path) -> None:
    """Take whatever is left on the disk."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


async def test_a_really_full_disk_loses_nothing(small_disk: Path) -> None:
    """A file system filled to the last byte: clean refusals, then freed, it goes on; all that was said is there."""
    path, ballast = small_disk / "log.db", small_disk / "ballast"
    async with opened(path, *TOPICS) as log:
        said, refused = [], set()
        await asyncio.to_thread(fill, ballast)
        for n in range(30):
            try:
                await log.append([*numbered(1, first=n), NewRecord("work", bytes(50_000), b"pad")])
                said.append(n)
            except LogUnavailable as error:
                refused.add("the disk of the log is full" in str(error))
        assert refused == {True}
        ballast.unlink()
        await log.append(numbered(1, first=99))
        kept = [int(r.value or b"") for r in await everything(log) if r.key == b"k"]
        assert kept == [*said, 99]
    assert maintain.check(path) == []
