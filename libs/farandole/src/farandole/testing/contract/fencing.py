"""Fencing: whoever lost a lease commits nothing under it any more, however long he slept."""

import asyncio

from farandole.log.ports import Interest, Log
from farandole.log.record import NewRecord, Record, TopicSpec
from farandole.testing.contract.checks import expect, same
from farandole.testing.contract.look import attempt, eventually, numbered, records_of, values_of
from farandole.testing.contract.member import Member, together, turns
from farandole.testing.contract.rig import Case, Rig

WORK = Interest("group/step", "work", state="state")


def outputs(record: Record) -> list[NewRecord]:
    """What the step gives for a record: an event and a row."""
    value = record.value
    return [NewRecord("out", value, b"k"), NewRecord("state", value, record.key, partition=record.partition)]


async def start(rig: Rig, log: Log, records: int = 10) -> Member:
    """A member that holds the one partition and has polled all records, none of them committed."""
    await log.ensure([TopicSpec("work"), TopicSpec("out"), TopicSpec("state", compacted=True)])
    await log.append(numbered("work", records))
    member = await Member.join(log, WORK)
    await together(rig, [member], lambda: len(member.seen) == records, "all records")
    return member


async def a_stopped_member_is_fenced(rig: Rig) -> None:
    """Stopped until another took over, then resumed: nothing of its commit is written, and it is told so."""
    log, other = await rig.open(), await rig.open()
    member = await start(rig, log)
    await rig.freeze(log)
    heir = await Member.join(other, WORK)
    await together(rig, [heir], lambda: len(heir.seen) == 10, "all records for the heir")
    await rig.thaw(log)
    units = member.units(outputs)
    same([unit.lease for unit in (await member.subscription.commit(units)).fenced], [units[0].lease], "fenced")
    same(await values_of(other, "out", "state"), [], "what the zombie wrote")
    same(await other.committed("group/step"), {}, "what the zombie moved")
    same((await heir.commit(outputs)).fenced, [], "fenced of the heir")
    same(await values_of(other, "out"), [b"%d" % n for n in range(10)], "outputs")


async def a_fenced_member_learns_what_it_lost(rig: Rig) -> None:
    """Its next polls report the lease as lost, and it takes part again under new leases only."""
    log, other = await rig.open(), await rig.open()
    member = await start(rig, log)
    old = member.held[0]
    await rig.freeze(log)
    heir = await Member.join(other, WORK)
    await together(rig, [heir], lambda: len(heir.held) == 1, "the partition for the heir")
    await rig.thaw(log)
    await together(rig, [member, heir], lambda: member.lost == [old], "the lease reported as lost")
    await heir.subscription.close()
    await together(rig, [member], lambda: len(member.held) == 1, "the partition again")
    expect(member.held[0].epoch > heir.granted[0].epoch > old.epoch, "epochs rise from holder to holder")


async def a_short_stop_costs_nothing(rig: Rig) -> None:
    """Who is resumed well within the lease still holds it."""
    log, other = await rig.open(), await rig.open()
    member = await start(rig, log)
    heir = await Member.join(other, WORK)
    await rig.freeze(log)
    await rig.sleep(rig.lease_seconds / 4)
    await rig.thaw(log)
    same((await member.commit(outputs)).fenced, [], "fenced")
    await turns(member, heir)
    same((member.lost, heir.held), ([], {}), "leases lost and taken")


async def a_commit_caught_by_a_stop_is_whole_or_fenced(rig: Rig) -> None:
    """Stopped while its commit is under way, resumed after a take-over: each record counts once in the end."""
    log, other = await rig.open(), await rig.open()
    member = await start(rig, log)
    commit = asyncio.ensure_future(attempt(rig, member.commit(outputs)))
    await asyncio.sleep(0)
    await rig.freeze(log)
    heir = await Member.join(other, WORK)
    await together(rig, [heir], lambda: len(heir.held) == 1, "the partition for the heir")
    await rig.thaw(log)
    await commit

    async def finished() -> bool:
        await heir.work(outputs)
        return await other.committed("group/step") == {("work", 0): 10}

    await eventually(rig, finished, "everything committed")
    same(await values_of(other, "out"), [b"%d" % n for n in range(10)], "outputs")


async def only_the_gone_part_of_a_commit_is_dropped(rig: Rig) -> None:
    """In one commit the units of a lease that is gone are returned, all others are durable."""
    log = await rig.open()
    await log.ensure([TopicSpec("work", 3), TopicSpec("out")])
    await log.append([NewRecord("work", b"%d" % n, partition=n) for n in range(3)])
    member = await Member.join(log, Interest("group/step", "work"))
    await together(rig, [member], lambda: len(member.seen) == 3, "all records")
    units = sorted(member.units(lambda record: [NewRecord("out", record.value)]))
    await member.subscription.release(units[1].lease)
    fenced = (await member.subscription.commit(units)).fenced
    same([unit.lease for unit in fenced], [units[1].lease], "fenced")
    same(await values_of(log, "out"), [b"0", b"2"], "outputs")
    same(await log.committed("group/step"), {("work", 0): 1, ("work", 2): 1}, "positions")


async def a_lease_counts_in_its_own_epoch_only(rig: Rig) -> None:
    """The holder of a partition cannot commit under an epoch in which it held it before."""
    log = await rig.open()
    member = await start(rig, log)
    old = member.units(outputs)
    await member.release([old[0].lease])
    await together(rig, [member], lambda: len(member.seen) == 20, "all records again")
    same(len((await member.subscription.commit(old)).fenced), 1, "fenced of the former epoch")
    same((await member.commit(outputs)).fenced, [], "fenced of the present epoch")
    same(await values_of(log, "out"), [b"%d" % n for n in range(10)], "outputs")


async def nothing_of_a_predecessor_comes_after_a_restore(rig: Rig) -> None:
    """Once the heir has restored, the state stays as restored, whatever the zombie tries."""
    log, other = await rig.open(), await rig.open()
    member = await start(rig, log)
    await rig.freeze(log)
    heir = await Member.join(other, WORK)
    await together(rig, [heir], lambda: 0 in heir.rows, "a restore by the heir")
    await rig.thaw(log)
    await member.commit(outputs)
    lease = heir.held[0]
    same(await heir.subscription.restore(lease), heir.rows[0], "rows after the zombie's commit")
    same(await records_of(other, "state"), [], "rows in the log")


CASES: tuple[Case, ...] = (
    a_stopped_member_is_fenced,
    a_fenced_member_learns_what_it_lost,
    a_short_stop_costs_nothing,
    a_commit_caught_by_a_stop_is_whole_or_fenced,
    only_the_gone_part_of_a_commit_is_dropped,
    a_lease_counts_in_its_own_epoch_only,
    nothing_of_a_predecessor_comes_after_a_restore,
)
