"""Reading: from any offset, in measure, fair among partitions, and woken without delay."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farandole.engines.sqlite import database, state
from farandole.engines.sqlite import handle as handles
from farandole.engines.sqlite.catalog import Topic
from farandole.engines.sqlite.feeds import Feed, Rota, look_at_ends
from farandole.engines.sqlite.housekeeping import tidy
from farandole.engines.sqlite.log import SqliteLog
from farandole.engines.sqlite.requests import Txn
from farandole.engines.sqlite.wake import LEASES, Bell, News, Post, data_note
from farandole.events.errors import ConfigError, LogFormatError, LogUnavailable
from farandole.log.ports import Interest, Unit
from farandole.log.record import NewRecord, TopicSpec
from libs.farandole.tests.unit.engines.sqlite.support import WORK, everything, numbered, only, opened, values


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def topic_of(log: SqliteLog, name: str = "work") -> Topic:
    return log._handle.catalog.get(name)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(1, 7), min_size=1, max_size=8),
    st.integers(0, 60),
    st.lists(st.integers(1, 9), min_size=1, max_size=60),
    st.booleans(),
)
def test_any_cut_gives_every_record_once(
    tmp_path: Path, frames: list[int], start: int, limits: list[int], compacted: bool
) -> None:
    """Wherever one begins and however little one asks for, amid frames or not: in order, none twice, none missed."""

    async def run() -> None:
        (tmp_path / "log.db").unlink(missing_ok=True)
        async with opened(tmp_path / "log.db", TopicSpec("work", compacted=compacted)) as log:
            count = 0
            for size in frames:
                await log.append([NewRecord("work", b"%d" % n, b"%d" % n) for n in range(count, count + size)])
                count += size
            feed, found = Feed(topic_of(log), 0, start), list[int]()
            for limit in (*limits, *[3] * count):
                look_at_ends(log._handle.db, [feed])
                records = feed.take(log._handle.db, limit)
                assert len(records) <= limit
                found += values(records)
                assert feed.position == (found[-1] + 1 if found else max(start, feed.position))
            assert found == [*range(start, count)]

    asyncio.run(run())


async def test_a_long_backlog_does_not_hold_up_the_others(path: Path) -> None:
    """Each partition has its turn within as many polls as there are partitions."""
    async with opened(path, TopicSpec("work", 3)) as log:
        await log.append([NewRecord("work", b"%d" % n, partition=0) for n in range(1000)])
        await log.append([NewRecord("work", b"x", partition=1), NewRecord("work", b"y", partition=2)])
        feeds, rota = [Feed(topic_of(log), number, 0) for number in range(3)], Rota()
        seen = {record.partition for _ in range(3) for record in rota.take(log._handle.db, feeds, 10)}
        assert seen == {0, 1, 2}


async def test_partitions_with_a_backlog_get_as_much_as_each_other(path: Path) -> None:
    """The turn of one that has nothing is not its neighbour's."""
    async with opened(path, TopicSpec("work", 4)) as log:
        await log.append([NewRecord("work", b"%d" % n, partition=n % 2) for n in range(400)])
        feeds, rota = [Feed(topic_of(log), number, 0) for number in range(4)], Rota()
        seen = Counter(record.partition for _ in range(20) for record in rota.take(log._handle.db, feeds, 10))
        assert seen == {0: 100, 1: 100}


async def test_no_read_stays_open(path: Path) -> None:
    """A reader that stops amid a backlog does not keep the WAL from being put away."""
    async with opened(path, TopicSpec("work")) as log:
        for first in range(0, 50, 5):
            await log.append(numbered(5, first=first))
        reader = await log.reader(["work"])
        await reader.poll(limit=3)
        db = apsw.Connection(str(path))
        db.execute("SELECT * FROM meta").fetchall()
        pages, moved = db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        db.close()
        assert (pages, moved) == (0, 0)


async def test_damage_in_a_frame_is_said_not_skipped(path: Path) -> None:
    """A reader stops there."""
    async with opened(path, TopicSpec("work")) as log:
        await log.append(numbered(3))

        def damage(txn: Txn) -> None:
            txn.db.execute("UPDATE frame SET body = x'00'")

        await log._handle.run(damage)
        with pytest.raises(LogFormatError, match="the frame at offset 0 is damaged"):
            await everything(log)


async def test_a_large_state_is_restored_whole_in_pieces(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have their turn meanwhile; rows of other partitions and deleted ones are not in it."""
    monkeypatch.setattr(state, "AT_ONCE", 10)
    topics = TopicSpec("work", 2), TopicSpec("state", 2, compacted=True)
    async with opened(path, *topics) as log:
        subscription = await log.subscribe(Interest("group/step", "work", state="state"))
        leases = (await subscription.poll(limit=1, timeout=5)).granted
        rows = [NewRecord("state", b"%d" % n, b"%d" % n, (("h", b"1"),), n % 2) for n in range(95)]
        gone = [NewRecord("state", None, b"%d" % n, (), n % 2) for n in range(0, 95, 5)]
        await subscription.commit([Unit(leases[0], [*rows, *gone], {})])
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        found = await subscription.restore(leases[1])
        counting.cancel()
        assert [int(row.key or b"") for row in found] == [n for n in range(95) if n % 2 and n % 5]
        assert {(row.partition, row.headers) for row in found} == {(1, (("h", b"1"),))}
        assert turns >= 4


class CountedBell(Bell):
    """Says how often it was rung."""

    def __init__(self) -> None:
        super().__init__()
        self.rings = 0

    def ring(self) -> None:
        self.rings += 1
        super().ring()


async def test_a_poll_is_woken_at_once(path: Path) -> None:
    """By a commit of another handle to what it reads; not by one to something else."""
    async with opened(path, TopicSpec("work"), TopicSpec("other")) as log, opened(path) as writer:
        reader = await log.reader(["work"])
        reader.bell = bell = CountedBell()
        poll = asyncio.create_task(reader.poll(timeout=30))
        await asyncio.sleep(0.1)
        bell.rings = 0
        log._handle._timer.cancel()  # type: ignore[union-attr]  # only wake-ups, no look every second
        await writer.append(numbered(1, "other"))
        await asyncio.sleep(0.1)
        assert bell.rings == 0
        sent = time.monotonic()
        await writer.append(numbered(1))
        assert values(await poll) == [0]
        assert time.monotonic() - sent < handles.TICK


async def test_a_lost_wake_up_costs_a_second_at_most(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Datagrams may be lost: then the file itself is looked at."""
    monkeypatch.setattr(Post, "send", lambda *_: None)
    async with opened(path, TopicSpec("work")) as log, opened(path) as writer:
        subscription = await log.subscribe(WORK)
        await subscription.poll(limit=1, timeout=5)
        poll = asyncio.create_task(subscription.poll(limit=1, timeout=30))
        await asyncio.sleep(0.1)
        sent = time.monotonic()
        await writer.append(numbered(1))
        assert values((await poll).records) == [0]
        assert time.monotonic() - sent < handles.TICK + 1


async def test_a_topic_that_comes_later_is_read_from_its_start(path: Path) -> None:
    """A reader may ask for what does not exist yet; positions name it once it does."""
    async with opened(path) as log, opened(path) as other:
        reader = await log.reader(["later"], {("later", 0): 1})
        poll = asyncio.create_task(reader.poll(timeout=30))
        await asyncio.sleep(0.1)
        await other.ensure([TopicSpec("later")])
        await other.append(numbered(3, "later"))
        assert values(await poll) == [1, 2]
        assert reader.positions() == {("later", 0): 3}


async def test_offsets_at_a_time_are_exact(path: Path) -> None:
    """For the time of every record, plain or compacted, before the first and after the last."""
    topics = TopicSpec("work"), TopicSpec("table", compacted=True)
    async with opened(path, *topics) as log:
        for n in range(20):
            await log.append([*numbered(3, first=3 * n), NewRecord("table", b"%d" % n, b"%d" % (n % 7))])
        for name in ("work", "table"):
            records = await everything(log, name)
            for record in records:
                first = min(other.offset for other in records if other.time >= record.time)
                assert await log.offset_at(name, 0, record.time) == first
            assert await log.offset_at(name, 0, 0.0) == records[0].offset
            assert await log.offset_at(name, 0, records[-1].time + 1e-6) == records[-1].offset + 1
        with pytest.raises(ConfigError, match="has no partition 5"):
            await log.offset_at("work", 5, 0.0)


async def test_what_was_closed_says_so(path: Path) -> None:
    """A reader, a member, a handle: each names itself and the way on; a poll that waits ends."""
    async with opened(path, TopicSpec("work")) as log:
        subscription, reader = await log.subscribe(WORK), await log.reader(["work"])
        only(await subscription.poll(limit=1, timeout=5))
        polls = [asyncio.create_task(p) for p in (subscription.poll(limit=1, timeout=60), reader.poll(timeout=60))]
        await asyncio.sleep(0.05)
        await subscription.close()
        await reader.close()
        for poll, text in zip(polls, ("subscribe again", "open another"), strict=True):
            with pytest.raises(LogUnavailable, match=text):
                await poll
    with pytest.raises(LogUnavailable, match="this handle of the log is closed"):
        await log.append(numbered(1))


async def test_a_shape_that_cannot_be_leased_is_refused(path: Path) -> None:
    """Missing, with another number of partitions, or a state that is not compacted."""
    topics = TopicSpec("work", 2), TopicSpec("inbox", 3), TopicSpec("plain", 2)
    async with opened(path, *topics) as log:
        for interest, text in (
            (Interest("g", "nowhere"), "does not exist; create it"),
            (Interest("g", "work", inbox="inbox"), "'inbox' has 3 partitions, 'work' has 2"),
            (Interest("g", "work", state="plain"), "'plain' is not compacted"),
        ):
            with pytest.raises(ConfigError, match=text):
                await log.subscribe(interest)
        assert await log.leases() == {}


async def test_a_busy_file_is_read_as_soon_as_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process recovers it nobody is kept waiting on the event loop; patience ends in LogUnavailable."""
    looks: list[int] = []

    def look() -> int:
        looks.append(1)
        if len(looks) < 4:
            raise apsw.BusyError("recovering")
        return 7

    turn = asyncio.create_task(asyncio.sleep(0.01))
    assert await database.patiently(look) == 7
    assert turn.done()
    looks.clear()
    monkeypatch.setattr(database, "PATIENCE", 0.0)
    with pytest.raises(LogUnavailable, match="another program held"):
        await database.patiently(look)


async def test_a_file_that_cannot_be_read_is_not_written_either(path: Path) -> None:
    """An I/O error of a read ends the handle."""

    def look() -> None:
        raise apsw.CorruptError("page 7")

    async with opened(path, TopicSpec("work")) as log:
        with pytest.raises(LogUnavailable, match="page 7"):
            await log._handle.read(look)
        assert log._handle._writer
        await asyncio.to_thread(log._handle._writer._thread.join)
        with pytest.raises(LogUnavailable, match="CorruptError: page 7"):
            await log.append(numbered(1))


async def test_old_deletions_are_forgotten(path: Path) -> None:
    """After a day a deleted key leaves nothing behind; what is younger, or not deleted, stays."""
    async with opened(path, TopicSpec("table", compacted=True)) as log:
        for value, key in ((b"1", b"a"), (b"1", b"b"), (b"1", b"c"), (None, b"a"), (None, b"b")):
            await log.append([NewRecord("table", value, key)])

        def age(txn: Txn) -> None:
            txn.db.execute("UPDATE latest SET time = time - ? WHERE key <> x'62'", (25 * 3600 * 1_000_000,))
            tidy(txn)

        await log._handle.run(age)
        assert [(r.key, r.value, r.offset) for r in await everything(log, "table")] == [
            (b"c", b"1", 2),
            (b"b", None, 4),
        ]


async def test_a_bell_keeps_a_ring_for_the_next_wait() -> None:
    """Rung while nobody waits, it is heard; stilled, it is not."""
    bell = Bell()
    bell.ring()
    assert await bell.wait(0)
    bell.still()
    assert not await bell.wait(0.01)
    asyncio.get_running_loop().call_later(0.01, bell.ring)
    assert await bell.wait(5)


async def test_wake_ups_that_nobody_hears_do_not_matter() -> None:
    """To who is gone, and to who has more waiting than he can hold; those that come together are one."""
    rings: list[News] = []
    sender, receiver, gone = Post(), Post(), Post()
    gone.close()
    sender.send(data_note(["a", "b"]), [gone.address, b"\0nobody", *[receiver.address] * 1000])
    receiver.listen(rings.append)
    await asyncio.sleep(0.05)
    assert rings == [News(frozenset({"a", "b"}), leases=False)]
    sender.close()
    receiver.close()


async def test_wake_ups_that_come_together_tell_of_all_their_topics() -> None:
    """And where there were too many to name, of any."""
    rings: list[News] = []
    sender, receiver = Post(), Post()
    for note in (data_note(["a"]), LEASES, data_note(["b"])):
        sender.send(note, [receiver.address])
    receiver.listen(rings.append)
    await asyncio.sleep(0.05)
    sender.send(data_note(["b"]), [receiver.address])
    sender.send(data_note(f"topic-{n}" for n in range(1000)), [receiver.address])
    await asyncio.sleep(0.05)
    assert rings == [News(frozenset({"a", "b"}), leases=True), News(None, leases=False)]
    sender.close()
    receiver.close()
