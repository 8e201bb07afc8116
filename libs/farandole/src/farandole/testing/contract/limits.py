"""Limits: what the log cannot take is refused with the reason, and nothing of the call is written."""

from farandole.events.errors import RecordRefused
from farandole.log.ports import Interest, Log, Unit
from farandole.log.record import NewRecord, TopicSpec
from farandole.testing.contract.checks import expect, refused, same
from farandole.testing.contract.look import count_of, numbered, records_of, values_of
from farandole.testing.contract.member import Member, together
from farandole.testing.contract.rig import Case, Rig


async def start(rig: Rig, log: Log) -> Member:
    """A member that holds the one partition of its topic."""
    await log.ensure([TopicSpec("work"), TopicSpec("out", 2)])
    member = await Member.join(log, Interest("group/step", "work"))
    await together(rig, [member], lambda: len(member.held) == 1, "the partition")
    return member


def sized(topic: str, size: int) -> NewRecord:
    """A record of so many bytes of key, value and headers together."""
    key, headers = b"key", (("name", b"header"),)
    return NewRecord(topic, b"x" * (size - len(key) - len("name") - len(b"header")), key, headers)


async def the_largest_record_passes(rig: Rig) -> None:
    """A record of exactly the limit is appended and committed, and comes back whole."""
    log = await rig.open()
    member = await start(rig, log)
    largest = sized("out", log.capabilities.record_limit)
    await log.append([largest])
    await member.subscription.commit([Unit(member.held[0], [largest], {})])
    same([len(r.value or b"") for r in await records_of(log, "out")], [len(largest.value or b"")] * 2, "sizes")


async def a_larger_record_is_refused(rig: Rig) -> None:
    """One byte more is refused, naming topic and size; nothing that stands with it is written."""
    log = await rig.open()
    member = await start(rig, log)
    size = log.capabilities.record_limit + 1
    large, good = sized("out", size), NewRecord("out", b"good")
    units = [Unit(member.held[0], [good], {"work": 0}), Unit(member.held[0], [good, large], {"work": 0})]
    for call in (log.append([good, large, good]), member.subscription.commit(units)):
        error = await refused(call, RecordRefused)
        expect("out" in str(error) and str(size) in str(error), f"topic and size are not named: {error}")
    same((await count_of(log, "out"), await log.committed("group/step")), (0, {}), "what was written")
    await member.subscription.commit(units[:1])
    same(await values_of(log, "out"), [b"good"], "the half that is not refused")


async def an_unknown_topic_is_refused(rig: Rig) -> None:
    """A record for a topic that does not exist is refused, naming it; it is not created by the way."""
    log = await rig.open()
    member = await start(rig, log)
    stray, good = NewRecord("nowhere", b"v"), NewRecord("out", b"good")
    unit = Unit(member.held[0], [good, stray], {"work": 0})
    for call in (log.append([good, stray]), member.subscription.commit([unit])):
        expect("nowhere" in str(await refused(call, RecordRefused)), "the topic is not named")
    same((await count_of(log, "out"), await log.committed("group/step")), (0, {}), "what was written")
    same(sorted(spec.name for spec in await log.topics()), ["out", "work"], "topics")


async def an_unknown_partition_is_refused(rig: Rig) -> None:
    """A partition number that the topic does not have is refused, as is a negative one."""
    log = await rig.open()
    await start(rig, log)
    for number in (2, -1):
        call = log.append([NewRecord("out", b"good"), NewRecord("out", b"v", partition=number)])
        await refused(call, RecordRefused)
    same(await count_of(log, "out"), 0, "records")


async def a_commit_of_many_records_passes(rig: Rig) -> None:
    """As many records as the capabilities promise go in one commit."""
    log = await rig.open()
    member = await start(rig, log)
    count = min(log.capabilities.commit_limit, 5000)
    await member.subscription.commit([Unit(member.held[0], numbered("out", count), {})])
    same(await count_of(log, "out"), count, "records")


CASES: tuple[Case, ...] = (
    the_largest_record_passes,
    a_larger_record_is_refused,
    an_unknown_topic_is_refused,
    an_unknown_partition_is_refused,
    a_commit_of_many_records_passes,
)
