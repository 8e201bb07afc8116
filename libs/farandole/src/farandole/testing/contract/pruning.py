"""Pruning: what lies before an offset is gone for good, the rest is as it was, and nobody skips in silence."""

from farandole.events.errors import ConfigError, LogError
from farandole.log.ports import Interest, Log, Unit
from farandole.log.record import NewRecord, Span, TopicSpec
from farandole.testing.contract.checks import expect, refused, same
from farandole.testing.contract.look import QUIET, numbered, records_of, values_of
from farandole.testing.contract.member import Member, together
from farandole.testing.contract.rig import Case, Rig

_WORK = Interest("group/step", "work")


async def fill(log: Log) -> Log:
    """Twenty records into the only partition of `work`, five to an append; the same log."""
    await log.ensure([TopicSpec("work"), TopicSpec("other", 2), TopicSpec("rows", 1, compacted=True)])
    for first in range(0, 20, 5):
        await log.append(numbered("work", 5, first=first))
    await log.append([NewRecord("other", b"v", partition=1), NewRecord("rows", b"v", b"k")])
    return log


async def what_is_pruned_is_gone(rig: Rig) -> None:
    """Every handle finds what is left; it begins at the offset that was answered, no later than the one asked for."""
    log, other = await fill(await rig.open()), await rig.open()
    records = await records_of(log, "work")
    wanted = records[12].offset
    start = (await log.prune({("work", 0): wanted}))["work", 0]
    left = [record for record in records if record.offset >= start]
    expect(records[8].offset <= start <= wanted, f"begins at {start}, {wanted} was asked for")
    for handle in (log, other):
        same((await handle.spans(["work"]))["work", 0].start, start, "start")
        same(await records_of(handle, "work"), left, "what is left")
        same(await handle.fetch("work", 0, records[0].offset), None, "a record that is gone")
        same(await handle.fetch(*left[0].place), left[0], "the first that is left")
        same(await handle.offset_at("work", 0, 0.0), start, "the offset of long ago")
        same(len(await records_of(handle, "other", "rows")), 2, "records of other topics")


async def all_of_a_partition_may_go(rig: Rig) -> None:
    """Then it begins where it ends, and goes on there."""
    log = await fill(await rig.open())
    end = (await log.spans(["work"]))["work", 0].end
    same(await log.prune({("work", 0): end}), {("work", 0): end}, "start")
    same(await log.spans(["work"]), {("work", 0): Span(end, end)}, "spans")
    same(await values_of(log, "work"), [], "records")
    (place,) = await log.append([NewRecord("work", b"new")])
    expect(place.offset >= end, f"the next record has offset {place.offset}, the end was {end}")
    same([(r.place, r.value) for r in await records_of(log, "work")], [(place, b"new")], "records")
    again = await log.prune({("work", 0): 1})
    expect(end <= again["work", 0] <= place.offset, f"begins at {again}; nothing was to go")
    same(await values_of(log, "work"), [b"new"], "records")


async def what_cannot_be_pruned_is_refused(rig: Rig) -> None:
    """Then nothing of the call is removed."""
    log = await fill(await rig.open())
    end = (await log.spans(["work"]))["work", 0].end
    for place, offset in ((("nowhere", 0), 0), (("other", 2), 0), (("work", 0), end + 1), (("work", 0), -1),
                          (("rows", 0), 1)):  # fmt: skip
        error = await refused(log.prune({("other", 1): 1, place: offset}), ConfigError)
        expect(place[0] in str(error), f"the topic is not named: {error}")
        same((await log.spans(["other"]))["other", 1].start, 0, "start of what may be pruned")
    same(await log.prune({}), {}, "the answer to nothing")


async def a_group_goes_on_behind_what_was_pruned(rig: Rig) -> None:
    """It had handled it; a group that comes later begins with what is left."""
    log = await fill(await rig.open())
    member = await Member.join(log, _WORK)
    await together(rig, [member], lambda: len(member.seen) == 20, "all records", lambda record: [])
    start = (await log.prune({("work", 0): member.seen[10].offset}))["work", 0]
    await log.append(numbered("work", 3, first=20))
    await together(rig, [member], lambda: len(member.seen) == 23, "three more", lambda record: [])
    same([record.value for record in member.seen[20:]], [b"20", b"21", b"22"], "values")
    late = await Member.join(log, Interest("late/step", "work"))
    wanted = [record for record in member.seen if record.offset >= start]
    await together(rig, [late], lambda: len(late.seen) >= len(wanted), "what is left")
    same([record.place for record in late.seen], [record.place for record in wanted], "places")


async def a_group_that_lacks_what_was_pruned_is_told(rig: Rig) -> None:
    """It does not skip what is gone unhandled: its next member's poll raises, naming the topic; its position stays."""
    log = await fill(await rig.open())
    member = await Member.join(log, _WORK)
    await together(rig, [member], lambda: len(member.seen) == 20, "all records")
    handled = member.seen[3].offset + 1
    await member.subscription.commit([Unit(member.held[0], [], {"work": handled})])
    await member.subscription.close()
    await log.prune({("work", 0): member.seen[15].offset})
    successor = await Member.join(log, _WORK)
    error = await refused(together(rig, [successor], lambda: successor.seen, "anything"), LogError)
    expect("work" in str(error) and str(handled) in str(error), f"topic and position are not named: {error}")
    same(await log.committed("group/step"), {("work", 0): handled}, "position")


async def a_reader_that_lacks_what_was_pruned_is_told(rig: Rig) -> None:
    """From where it was told to begin something is gone: it raises, and names the topic."""
    log = await fill(await rig.open())
    records = await records_of(log, "work")
    await log.prune({("work", 0): records[12].offset})
    reader = await log.reader(["work"], {("work", 0): records[2].offset})
    error = await refused(reader.poll(timeout=QUIET), LogError)
    expect("work" in str(error), f"the topic is not named: {error}")


CASES: tuple[Case, ...] = (
    what_is_pruned_is_gone,
    all_of_a_partition_may_go,
    what_cannot_be_pruned_is_refused,
    a_group_goes_on_behind_what_was_pruned,
    a_group_that_lacks_what_was_pruned_is_told,
    a_reader_that_lacks_what_was_pruned_is_told,
)
