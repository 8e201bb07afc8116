"""Compaction: of a compacted topic the latest record per key counts, and a null value deletes."""

from farandole.log.ports import Interest, Lease, Log, Unit
from farandole.log.record import NewRecord, Record, TopicSpec
from farandole.testing.contract.checks import expect, same
from farandole.testing.contract.look import QUIET, eventually, numbered, records_of
from farandole.testing.contract.member import Member, together
from farandole.testing.contract.rig import Case, Rig

WORK = Interest("group/step", "work", state="state")


async def start(rig: Rig, log: Log, partitions: int = 1) -> Member:
    """A member that holds every partition, with their states restored."""
    await log.ensure([TopicSpec("work", partitions), TopicSpec("state", partitions, compacted=True)])
    return await join(rig, log, partitions)


async def join(rig: Rig, log: Log, partitions: int = 1) -> Member:
    """A member that holds every partition, of topics that exist."""
    member = await Member.join(log, WORK)
    await together(rig, [member], lambda: len(member.rows) == partitions, "every state restored")
    return member


def row(key: bytes, value: bytes | None, partition: int = 0) -> NewRecord:
    """A row of the state topic."""
    return NewRecord("state", value, key, partition=partition)


def table(records: list[Record]) -> dict[bytes | None, bytes | None]:
    """Key to value, as the records say in their order."""
    return {record.key: record.value for record in records}


async def a_restore_gives_the_latest_rows(rig: Rig) -> None:
    """Latest per key, no tombstones, each key once; deleted and written again is there."""
    log = await rig.open()
    member = await start(rig, log)
    same(member.rows[0], [], "rows of an empty state")
    writes = [row(b"a", b"1"), row(b"b", b"1"), row(b"a", b"2"), row(b"c", b"1"), row(b"b", None)]
    writes += [row(b"d", None), row(b"c", None), row(b"c", b"3")]
    await member.subscription.commit([Unit(member.held[0], writes, {})])
    rows = await member.subscription.restore(member.held[0])
    same(len(rows), 2, "rows")
    same(table(rows), {b"a": b"2", b"c": b"3"}, "rows")


async def a_restore_is_complete(rig: Rig) -> None:
    """An heir restores every row of a large state, written in many commits and ended by a crash."""
    log, other = await rig.open(), await rig.open()
    member = await start(rig, log)
    for first in range(0, 900, 90):
        rows = [row(b"%d" % (n % 600), b"%d" % n) for n in range(first, first + 90)]
        await member.subscription.commit([Unit(member.held[0], rows, {})])
    await rig.kill(log)
    heir = await join(rig, other)
    wanted = {b"%d" % (n % 600): b"%d" % n for n in range(900)}
    same(len(heir.rows[0]), 600, "rows")
    same(table(heir.rows[0]), wanted, "rows")


async def a_state_belongs_to_its_partition(rig: Rig) -> None:
    """The rows restored are those of the lease's partition number, though keys are the same in all."""
    log = await rig.open()
    member = await start(rig, log, partitions=3)
    units = [Unit(lease, [row(b"k", b"%d" % n, n)], {}) for n, lease in member.held.items()]
    await member.subscription.commit(units)
    for number, lease in member.held.items():
        rows = await member.subscription.restore(lease)
        same([(r.partition, r.value) for r in rows], [(number, b"%d" % number)], f"rows of partition {number}")


async def records_come_after_the_restore_only(rig: Rig) -> None:
    """Where there is a state, nothing of a lease is polled before `restore` was called for it."""
    log = await rig.open()
    await log.ensure([TopicSpec("work", 2), TopicSpec("state", 2, compacted=True)])
    await log.append(numbered("work", 10))
    subscription = await log.subscribe(WORK)
    leases: list[Lease] = []

    async def granted() -> bool:
        polled = await subscription.poll(limit=100, timeout=rig.lease_seconds)
        same(polled.records, [], "records before any restore")
        leases.extend(polled.granted)
        return len(leases) == 2

    await eventually(rig, granted, "both partitions")
    same((await subscription.poll(limit=100, timeout=QUIET)).records, [], "records before any restore")
    await subscription.restore(leases[0])
    found: list[Record] = []
    while more := (await subscription.poll(limit=100, timeout=QUIET)).records:
        found += more
    expect(found, "no records of a lease that was restored")
    same({record.partition for record in found}, {leases[0].partition}, "partitions polled after one restore")


async def the_state_itself_is_not_polled(rig: Rig) -> None:
    """A member is not handed its own rows."""
    log = await rig.open()
    member = await start(rig, log)
    await member.subscription.commit([Unit(member.held[0], [row(b"a", b"1")], {})])
    same((await member.turn(timeout=QUIET)).records, [], "records")


async def a_reader_finds_the_latest(rig: Rig) -> None:
    """Read from the beginning, each key ends with its latest value; a null value says that it is deleted."""
    log = await rig.open()
    await log.ensure([TopicSpec("table", 2, compacted=True)])
    for n in range(60):
        await log.append([NewRecord("table", b"%d" % n, b"k%d" % (n % 4))])
    await log.append([NewRecord("table", None, b"k0")])
    found = table(await records_of(log, "table"))
    expect(found.pop(b"k0", None) is None, "a deleted key has a value")
    same(found, {b"k1": b"57", b"k2": b"58", b"k3": b"59"}, "latest values")


async def a_reader_that_follows_sees_every_change(rig: Rig) -> None:
    """A reader that keeps up sees each change, deletions included, and never an older value after a newer."""
    log = await rig.open()
    await log.ensure([TopicSpec("table", 1, compacted=True)])
    reader = await log.reader(["table"])
    last = -1
    for value in (b"1", b"2", None, b"3"):
        await log.append([NewRecord("table", value, b"k"), NewRecord("table", value, b"other")])
        found: list[Record] = []
        while len(found) < 2:
            more = await reader.poll(timeout=rig.lease_seconds + 10)
            expect(more, f"the change to {value!r} did not come")
            found += more
        same(table(found), {b"k": value, b"other": value}, "changes")
        offsets = [record.offset for record in found]
        expect([last, *offsets] == sorted({last, *offsets}), f"offsets {offsets} after {last}")
        last = offsets[-1]


async def a_late_reader_is_not_shown_what_was_overwritten_after_it(rig: Rig) -> None:
    """Between two polls a key may change often: what comes then is newer than what came before, up to the last."""
    log = await rig.open()
    await log.ensure([TopicSpec("table", 1, compacted=True)])
    reader = await log.reader(["table"])
    await log.append([NewRecord("table", b"0", b"k")])
    seen = await reader.poll(timeout=rig.lease_seconds + 10)
    for n in range(1, 200):
        await log.append([NewRecord("table", b"%d" % n, b"k")])
    while more := await reader.poll(timeout=QUIET):
        seen += more
    numbers = [int(record.value or b"-1") for record in seen]
    same(numbers, sorted(set(numbers)), "values in the order seen")
    same((numbers[0], numbers[-1]), (0, 199), "first and last value")


CASES: tuple[Case, ...] = (
    a_restore_gives_the_latest_rows,
    a_restore_is_complete,
    a_state_belongs_to_its_partition,
    records_come_after_the_restore_only,
    the_state_itself_is_not_polled,
    a_reader_finds_the_latest,
    a_reader_that_follows_sees_every_change,
    a_late_reader_is_not_shown_what_was_overwritten_after_it,
)
