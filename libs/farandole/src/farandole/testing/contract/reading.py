"""Reading: whoever reads without a group finds committed records by place, by time and by following."""

import asyncio

from farandole.log.ports import Interest, Unit
from farandole.log.record import NewRecord, Place, Record, Span, TopicSpec
from farandole.testing.contract.checks import expect, same
from farandole.testing.contract.look import QUIET, count_of, eventually, now, numbered, records_of
from farandole.testing.contract.member import Member, together
from farandole.testing.contract.rig import Case, Rig

_TIMES = 6


async def a_reader_starts_where_it_is_told(rig: Rig) -> None:
    """From given positions, elsewhere from the beginning; its positions say where it would go on."""
    log = await rig.open()
    await log.ensure([TopicSpec("a"), TopicSpec("b"), TopicSpec("c")])
    for topic in "abc":
        await log.append(numbered(topic, 10))
    reader = await log.reader(["a", "b"], {("a", 0): 7})
    found: list[Record] = []
    while more := await reader.poll(limit=4, timeout=QUIET):
        expect(len(more) <= 4, f"{len(more)} records, 4 asked for")
        found += more
    same([r.offset for r in found if r.topic == "a"], [7, 8, 9], "offsets of the first topic")
    same([r.offset for r in found if r.topic == "b"], list(range(10)), "offsets of the second topic")
    same(len(found), 13, "records")
    stands, ends = reader.positions(), await log.spans(["a", "b"])
    expect(all(10 <= stands[place] <= span.end for place, span in ends.items()), f"positions {stands}, ends {ends}")
    again = await log.reader(["a", "b"], reader.positions())
    same(await again.poll(timeout=QUIET), [], "records from those positions on")


async def a_reader_that_is_given_no_time_does_not_wait(rig: Rig) -> None:
    """With a timeout of 0 a poll gives what is there, or nothing; it may be asked again."""
    log = await rig.open()
    await log.ensure([TopicSpec("a")])
    reader = await log.reader(["a"])
    started = now()
    same(await reader.poll(), [], "records of an empty topic")
    expect(now() - started < rig.lease_seconds, f"took {now() - started} s")
    await log.append(numbered("a", 3))
    found: list[Record] = []

    async def read() -> bool:
        found.extend(await reader.poll())
        return len(found) == 3

    await eventually(rig, read, "three records")
    same([r.value for r in found], [b"0", b"1", b"2"], "values")


async def a_waiting_reader_is_woken(rig: Rig) -> None:
    """A long poll returns as soon as another handle appends, or commits, to what it reads."""
    log, other = await rig.open(), await rig.open()
    await log.ensure([TopicSpec("a"), TopicSpec("out")])
    reader = await log.reader(["a", "out"])
    member = await Member.join(other, Interest("group/step", "a"))
    started = now()
    for value in (b"1", b"2"):
        poll = asyncio.ensure_future(reader.poll(timeout=rig.lease_seconds + 20))
        await rig.sleep(0.1)
        await other.append([NewRecord("a", value)])
        same([r.value for r in await poll], [value], "appended while waiting")
    await together(rig, [member], lambda: len(member.seen) == 2, "both records")
    poll = asyncio.ensure_future(reader.poll(timeout=rig.lease_seconds + 20))
    await rig.sleep(0.1)
    await member.commit(lambda record: [NewRecord("out", record.value)] if record.value == b"2" else [])
    same([r.value for r in await poll], [b"2"], "committed while waiting")
    expect(now() - started < rig.lease_seconds + 5, f"three wake-ups took {now() - started} s")


async def a_waiting_member_is_woken(rig: Rig) -> None:
    """A long poll of a member returns as soon as a record is written to what it leases, inbox included."""
    log, other = await rig.open(), await rig.open()
    await log.ensure([TopicSpec("a"), TopicSpec("inbox")])
    member = await Member.join(log, Interest("group/step", "a", inbox="inbox"))
    await together(rig, [member], lambda: len(member.held) == 1, "the partition")
    for topic in ("a", "inbox"):
        poll = asyncio.ensure_future(member.turn(timeout=rig.lease_seconds + 20))
        await rig.sleep(0.1)
        started = now()
        await other.append([NewRecord(topic, b"v")])
        same([r.topic for r in (await poll).records], [topic], "topics polled")
        expect(now() - started < rig.lease_seconds, f"woken after {now() - started} s")


async def a_reader_takes_up_topics_that_appear(rig: Rig) -> None:
    """A topic that does not exist yet is read from its beginning once it does, also by a waiting poll."""
    log, other = await rig.open(), await rig.open()
    reader = await log.reader(["later", "never"])
    same(await reader.poll(timeout=QUIET), [], "records of no topic")
    same(reader.positions(), {}, "positions of no topic")
    poll = asyncio.ensure_future(reader.poll(timeout=rig.lease_seconds + 20))
    await rig.sleep(0.1)
    started = now()
    await other.ensure([TopicSpec("later")])
    await other.append([NewRecord("later", b"v")])
    same([(r.topic, r.value) for r in await poll], [("later", b"v")], "records of the new topic")
    expect(now() - started < rig.lease_seconds + 5, f"taken up after {now() - started} s")
    same(reader.positions(), {("later", 0): 1}, "positions")


async def a_record_is_fetched_by_its_place(rig: Rig) -> None:
    """Every place gives its record, whole; one that was never written gives None."""
    log = await rig.open()
    await log.ensure([TopicSpec("a", 2)])
    headers = (("name", b"value"),)
    places = await log.append([NewRecord("a", b"%d" % n, b"k%d" % n, headers) for n in range(6)])
    for record in await records_of(log, "a"):
        same(await log.fetch(*record.place), record, f"record at {record.place}")
    for n, place in enumerate(places):
        found = await log.fetch(*place)
        whole = None if found is None else (found.key, found.value, found.headers, Place(*found.place))
        same(whole, (b"k%d" % n, b"%d" % n, headers, place), "record at its place")
    same(await log.fetch("a", 0, 1000), None, "a record that was never written")


async def spans_tell_what_is_there(rig: Rig) -> None:
    """Start and end of every partition, the end behind the last record; topics that do not exist are left out."""
    log = await rig.open()
    await log.ensure([TopicSpec("a", 2), TopicSpec("empty")])
    await log.append([NewRecord("a", b"v", partition=1) for _ in range(3)])
    spans = await log.spans(["a", "empty", "nowhere"])
    start, end = spans.pop(("a", 1))
    same(spans, {("a", 0): Span(0, 0), ("empty", 0): Span(0, 0)}, "spans of empty partitions")
    last = (await records_of(log, "a"))[-1].offset
    expect(start == 0 and end > last >= 2, f"span {start} to {end}, the last of three records at {last}")


async def what_is_committed_is_there_at_once(rig: Rig) -> None:
    """Once a commit or an append has returned, every handle finds all of it before the ends, however large it is."""
    log, other = await rig.open(), await rig.open()
    names = [f"out{n}" for n in range(_TIMES)]
    await log.ensure([TopicSpec("work"), *(TopicSpec(name, 2) for name in names)])
    member = await Member.join(log, Interest("group/step", "work"))
    await together(rig, [member], lambda: len(member.held) == 1, "the partition")
    for n, name in enumerate(names):
        new = numbered(name, 1000)
        await (log.append(new) if n % 3 == 2 else member.subscription.commit([Unit(member.held[0], new, {})]))
        same(await count_of(other, name), len(new), f"records of {name}")
        (place,) = await log.append([NewRecord(name, b"last", b"key")])
        found = await other.fetch(*place)
        same(None if found is None else found.value, b"last", f"the last record of {name}")


async def a_time_gives_an_offset(rig: Rig) -> None:
    """The first record at or after a time: all from the past, the end in the future, exact in between."""
    log = await rig.open()
    await log.ensure([TopicSpec("a")])
    same(await log.offset_at("a", 0, log.clock.now()), 0, "offset in an empty partition")
    for n in range(4):
        await log.append(numbered("a", 2, first=2 * n))
        await rig.sleep(0.05)
    records = await records_of(log, "a")
    for record in records:
        first = next(other.offset for other in records if other.time >= record.time)
        same(await log.offset_at("a", 0, record.time), first, f"offset at {record.time}")
    between = (records[3].time + records[4].time) / 2
    same(await log.offset_at("a", 0, between), records[4].offset, "offset between two appends")
    same(await log.offset_at("a", 0, 0.0), 0, "offset long ago")
    end = (await log.spans(["a"]))["a", 0].end
    same(await log.offset_at("a", 0, log.clock.now() + 3600), end, "offset in the future")
    reader = await log.reader(["a"], {("a", 0): await log.offset_at("a", 0, between)})
    found: list[Record] = []
    while more := await reader.poll(timeout=QUIET):
        found += more
    same(found, records[4:], "records read from a time on")


async def lag_follows_from_spans_and_positions(rig: Rig) -> None:
    """What a group has still to do lies between its positions and the ends, and nothing once it has committed."""
    log = await rig.open()
    await log.ensure([TopicSpec("a", 2)])
    await log.append(numbered("a", 20))
    member = await Member.join(log, Interest("group/step", "a"))

    async def lag() -> int:
        done, ends = await log.committed("group/step"), await log.spans(["a"])
        expect(all(done.get(place, 0) <= span.end for place, span in ends.items()), f"positions {done}, ends {ends}")
        return sum(
            record.offset >= done.get((record.topic, record.partition), 0) for record in await records_of(log, "a")
        )

    same(await lag(), 20, "lag before")
    await together(rig, [member], lambda: len(member.seen) == 20, "all records", lambda record: [])
    same(await lag(), 0, "lag after")
    await log.append(numbered("a", 5))
    same(await lag(), 5, "lag of new records")


CASES: tuple[Case, ...] = (
    a_reader_starts_where_it_is_told,
    a_reader_that_is_given_no_time_does_not_wait,
    a_waiting_reader_is_woken,
    a_waiting_member_is_woken,
    a_reader_takes_up_topics_that_appear,
    a_record_is_fetched_by_its_place,
    spans_tell_what_is_there,
    what_is_committed_is_there_at_once,
    a_time_gives_an_offset,
    lag_follows_from_spans_and_positions,
)
