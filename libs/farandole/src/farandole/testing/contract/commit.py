"""Commit: outputs, rows and positions of all units become visible together; what is not committed never does."""

import asyncio
from collections import Counter

from farandole.events.errors import RecordRefused
from farandole.log.ports import Interest, Log, Unit
from farandole.log.record import NewRecord, Record, TopicSpec
from farandole.testing.contract.checks import refused, same
from farandole.testing.contract.look import behind_last, numbered, values_of
from farandole.testing.contract.member import Member, together
from farandole.testing.contract.rig import Case, Rig

WORK = Interest("group/step", "work", inbox="inbox", state="state")


def outputs(record: Record) -> list[NewRecord]:
    """What the step gives for a record: an event and a row."""
    value = record.value
    return [NewRecord("out", value, b"k"), NewRecord("state", value, record.key, partition=record.partition)]


async def start(rig: Rig, log: Log, partitions: int = 1) -> Member:
    """A member that has polled the ten records of its topic, none of them committed."""
    together_leased = (TopicSpec("inbox", partitions), TopicSpec("state", partitions, compacted=True))
    await log.ensure([TopicSpec("work", partitions), TopicSpec("out"), *together_leased])
    await log.append(numbered("work", 10))
    member = await Member.join(log, WORK)
    await together(rig, [member], lambda: len(member.seen) == 10, "all records")
    return member


async def a_commit_is_visible_as_a_whole(rig: Rig) -> None:
    """What commit returned for is there for every handle: outputs, rows and positions of all its leases."""
    log, other = await rig.open(), await rig.open()
    member = await start(rig, log, partitions=3)
    same(await values_of(other, "out", "state"), [], "outputs before the commit")
    same((await member.commit(outputs)).fenced, [], "fenced")
    wanted = Counter(b"%d" % n for n in range(10))
    same(Counter(await values_of(other, "out")), wanted, "outputs")
    same(Counter(await values_of(other, "state")), wanted, "rows")
    same(await other.committed("group/step"), await behind_last(other, "work"), "positions")


async def positions_commit_per_topic(rig: Rig) -> None:
    """The leased topic and the inbox have a position each; a unit moves the one that it names."""
    log = await rig.open()
    member = await start(rig, log)
    lease = member.held[0]
    await log.append(numbered("inbox", 4))
    await member.subscription.commit([Unit(lease, [], {"inbox": 2})])
    same(await log.committed("group/step"), {("inbox", 0): 2}, "positions")
    await member.subscription.commit([Unit(lease, [], {"work": 7})])
    same(await log.committed("group/step"), {("inbox", 0): 2, ("work", 0): 7}, "positions")
    await member.subscription.commit([Unit(lease, [], {"work": 8, "inbox": 3}), Unit(lease, [], {"work": 9})])
    same(await log.committed("group/step"), {("inbox", 0): 3, ("work", 0): 9}, "positions")


async def every_part_of_a_unit_is_optional(rig: Rig) -> None:
    """No units, a unit without positions and a unit with nothing at all are commits like others."""
    log = await rig.open()
    member = await start(rig, log)
    lease = member.held[0]
    same((await member.subscription.commit([])).fenced, [], "fenced of nothing")
    units = [Unit(lease, [], {}), Unit(lease, [NewRecord("out", b"v")], {})]
    same((await member.subscription.commit(units)).fenced, [], "fenced")
    same((await values_of(log, "out"), await log.committed("group/step")), ([b"v"], {}), "what was written")


async def a_step_may_write_to_what_it_reads(rig: Rig) -> None:
    """Outputs to the leased topic and to the inbox are polled like any others."""
    log = await rig.open()
    member = await start(rig, log)
    back = [NewRecord("work", b"again", b"k"), NewRecord("inbox", b"later", b"k", partition=0)]
    await member.subscription.commit([Unit(member.held[0], back, {"work": 10})])
    await together(rig, [member], lambda: len(member.seen) == 12, "both records")
    same({(r.topic, r.value) for r in member.seen[10:]}, {("work", b"again"), ("inbox", b"later")}, "polled")


async def a_commit_takes_its_arguments_when_called(rig: Rig) -> None:
    """What the caller changes while a commit is under way, in lists or positions, is not in it."""
    log = await rig.open()
    member = await start(rig, log)
    lease = member.held[0]
    made, positions = numbered("out", 3), {"work": 3}
    units = [Unit(lease, made, positions)]
    commit = asyncio.ensure_future(member.subscription.commit(units))
    await asyncio.sleep(0)  # the call has begun
    made[0] = NewRecord("out", b"changed")
    made.append(NewRecord("out", b"added"))
    positions.update(work=10, inbox=5)
    units.append(Unit(lease, [NewRecord("out", b"unit")], {"work": 9}))
    await commit
    same(await values_of(log, "out"), [b"0", b"1", b"2"], "outputs")
    same(await log.committed("group/step"), {("work", 0): 3}, "positions")


async def an_append_takes_its_arguments_when_called(rig: Rig) -> None:
    """What the caller changes while an append is under way is not in it."""
    log = await rig.open()
    await log.ensure([TopicSpec("out")])
    records = numbered("out", 3)
    append = asyncio.ensure_future(log.append(records))
    await asyncio.sleep(0)
    records[0] = NewRecord("out", b"changed")
    records.append(NewRecord("out", b"added"))
    same(len(await append), 3, "places")
    same(await values_of(log, "out"), [b"0", b"1", b"2"], "records")


async def a_refused_commit_leaves_nothing_behind(rig: Rig) -> None:
    """Nothing of a commit with a refused record is written, not even by the next commit; halves may pass."""
    log = await rig.open()
    member = await start(rig, log)
    lease = member.held[0]
    good = [Unit(lease, [NewRecord("out", b"%d" % n)], {"work": n + 1}) for n in range(4)]
    bad = Unit(lease, [NewRecord("nowhere", b"bad")], {"work": 9})
    await refused(member.subscription.commit([*good[:2], bad]), RecordRefused)
    same((await values_of(log, "out"), await log.committed("group/step")), ([], {}), "written after a refusal")
    await member.subscription.commit(good[:1])
    same(await values_of(log, "out"), [b"0"], "outputs of the next commit")
    await member.subscription.commit(good[1:])
    same(await values_of(log, "out"), [b"0", b"1", b"2", b"3"], "outputs")
    same(await log.committed("group/step"), {("work", 0): 4}, "positions")


async def positions_are_of_committed_partitions_only(rig: Rig) -> None:
    """`committed` of a group that never committed, or does not exist, is empty."""
    log = await rig.open()
    await start(rig, log, partitions=2)
    same((await log.committed("group/step"), await log.committed("nobody")), ({}, {}), "positions")


CASES: tuple[Case, ...] = (
    a_commit_is_visible_as_a_whole,
    positions_commit_per_topic,
    every_part_of_a_unit_is_optional,
    a_step_may_write_to_what_it_reads,
    a_commit_takes_its_arguments_when_called,
    an_append_takes_its_arguments_when_called,
    a_refused_commit_leaves_nothing_behind,
    positions_are_of_committed_partitions_only,
)
