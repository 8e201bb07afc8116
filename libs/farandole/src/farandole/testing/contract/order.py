"""Order: records of a partition stand, and are read, in the order in which they were written."""

import asyncio
from collections.abc import Iterable

from farandole.log.partitioner import partition_of
from farandole.log.ports import Interest, Unit
from farandole.log.record import NewRecord, Record, TopicSpec
from farandole.testing.contract.checks import expect, same
from farandole.testing.contract.look import numbered, records_of, values_of
from farandole.testing.contract.member import Member, together, until
from farandole.testing.contract.rig import Case, Rig


async def appended_records_keep_their_order(rig: Rig) -> None:
    """Records of a partition have rising offsets in the order of the appends, and places tell them truly."""
    log = await rig.open()
    await log.ensure([TopicSpec("order", 3)])
    written = []
    for first in range(0, 200, 20):
        new = [NewRecord("order", b"%d" % n, b"key-%d" % (n % 7)) for n in range(first, first + 20)]
        written += list(zip(new, await log.append(new), strict=True))
    found = {record.place: record for record in await records_of(log, "order")}
    same(len(found), 200, "records in the log")
    same([found[place].value for _, place in written], [new.value for new, _ in written], "values at the places")
    _rising(found.values())


async def a_key_decides_the_partition(rig: Rig) -> None:
    """Append and commit put a key into the partition that the one partitioner names."""
    log = await rig.open()
    await log.ensure([TopicSpec("order", 5), TopicSpec("out", 5)])
    await log.append(numbered("order", 40))
    member = await Member.join(log, Interest("order/step", "order"))
    await together(rig, [member], lambda: len(member.seen) == 40, "40 records")
    await member.commit(lambda record: [NewRecord("out", record.value, record.key)])
    for record in await records_of(log, "order", "out"):
        same(record.partition, partition_of(record.key or b"", 5), f"partition of key {record.key!r}")


async def a_given_partition_is_obeyed(rig: Rig) -> None:
    """A partition given with the record beats its key; what has neither is spread over all."""
    log = await rig.open()
    await log.ensure([TopicSpec("given", 3), TopicSpec("spread", 3)])
    await log.append([NewRecord("given", b"v", b"key", partition=n) for n in (2, 0, 1)])
    await log.append([NewRecord("spread", b"v") for _ in range(60)])
    same([r.partition for r in await records_of(log, "given")], [0, 1, 2], "partitions given")
    same({r.partition for r in await records_of(log, "spread")}, {0, 1, 2}, "partitions without key")


async def time_never_falls(rig: Rig) -> None:
    """Each record tells when the log took it, by its own clock, never earlier than the one before."""
    log = await rig.open()
    await log.ensure([TopicSpec("order")])
    before = log.clock.now()
    for n in range(5):
        await log.append(numbered("order", 2, first=2 * n))
        await rig.sleep(0.02)
    after = log.clock.now()
    times = [record.time for record in await records_of(log, "order")]
    same(times, sorted(times), "times in order of offsets")
    expect(before - 0.1 <= times[0] < times[-1] <= after + 0.1, f"times {times} within {before}..{after}")


async def writers_do_not_disturb_each_other(rig: Rig) -> None:
    """Handles that append at once lose nothing, and each one's records keep their order."""
    logs = [await rig.open() for _ in range(3)]
    await logs[0].ensure([TopicSpec("order")])

    async def write(who: int) -> None:
        for n in range(20):
            await logs[who].append([NewRecord("order", b"%d-%d" % (who, n), b"k")])

    await asyncio.gather(*(write(who) for who in range(3)))
    values = await values_of(logs[0], "order")
    for who in range(3):
        mine = [value for value in values if value is not None and value.startswith(b"%d-" % who)]
        same(mine, [b"%d-%d" % (who, n) for n in range(20)], f"records of writer {who}")


async def appends_under_way_keep_the_order_of_their_calls(rig: Rig) -> None:
    """Appends of one handle are written in the order in which they were called, waited for or not."""
    log = await rig.open()
    await log.ensure([TopicSpec("order")])
    await asyncio.gather(*(log.append(numbered("order", 5, first=5 * n, key=b"k")) for n in range(10)))
    same(await values_of(log, "order"), [b"%d" % n for n in range(50)], "values")


async def outputs_keep_the_order_of_units_and_calls(rig: Rig) -> None:
    """Units of a lease commit in the order given, calls in the order made, also when not waited for."""
    log = await rig.open()
    await log.ensure([TopicSpec("order"), TopicSpec("out")])
    await log.append(numbered("order", 60))
    member = await Member.join(log, Interest("order/step", "order"))
    await together(rig, [member], lambda: len(member.seen) == 60, "60 records")
    lease = member.held[0]
    units = [Unit(lease, numbered("out", 3, first=n, key=b"k"), {"order": n + 3}) for n in range(0, 60, 3)]
    await asyncio.gather(*(member.subscription.commit(units[n : n + 4]) for n in range(0, 20, 4)))
    same(await values_of(log, "out"), [b"%d" % n for n in range(60)], "outputs")
    same(await log.committed("order/step"), {("order", 0): 60}, "the last position")


async def polled_records_keep_their_order(rig: Rig) -> None:
    """A member is handed each partition's records in offset order, each once, and none is left out."""
    log = await rig.open()
    await log.ensure([TopicSpec("order", 3)])
    await log.append(numbered("order", 150))
    member = await Member.join(log, Interest("order/step", "order"))
    await until(rig, lambda: member.turn(limit=7), lambda: len(member.seen) == 150, "150 records")
    found = await records_of(log, "order")
    same(sorted(member.seen, key=lambda r: r.place), found, "what was polled")
    same((await member.turn(timeout=0.2)).records, [], "polled again")


def _rising(records: Iterable[Record]) -> None:
    last: dict[int, Record] = {}
    for record in sorted(records, key=lambda record: record.place):
        before = last.get(record.partition)
        if before is not None:
            expect(int(before.value or 0) < int(record.value or 0), f"{before} stands before {record}")
        last[record.partition] = record


CASES: tuple[Case, ...] = (
    appended_records_keep_their_order,
    a_key_decides_the_partition,
    a_given_partition_is_obeyed,
    time_never_falls,
    writers_do_not_disturb_each_other,
    appends_under_way_keep_the_order_of_their_calls,
    outputs_keep_the_order_of_units_and_calls,
    polled_records_keep_their_order,
)
