"""Take-over: what one member gives up, or leaves behind, another goes on with from the committed position."""

import asyncio

from farandole.log.ports import Interest, Log
from farandole.log.record import Record, TopicSpec
from farandole.testing.contract.checks import expect, same
from farandole.testing.contract.look import count_of, now, numbered
from farandole.testing.contract.member import Member, together
from farandole.testing.contract.rig import Case, Rig

WORK = Interest("group/step", "work")


async def start(rig: Rig, log: Log) -> Member:
    """A member that holds both partitions, has committed some records, and has polled further ones."""
    await log.ensure([TopicSpec("work", 2)])
    await log.append(numbered("work", 20))
    member = await Member.join(log, WORK)
    await together(rig, [member], lambda: len(member.seen) == 20, "the first records")
    await member.commit()
    await log.append(numbered("work", 10, first=20))
    await together(rig, [member], lambda: len(member.seen) == 30, "further records")
    return member


def values(records: list[Record]) -> list[int]:
    """The numbers that the records hold, in ascending order."""
    return sorted(int(record.value or b"-1") for record in records)


async def a_released_lease_begins_where_it_was_committed(rig: Rig) -> None:
    """After a release the uncommitted records come again, under a higher epoch, the committed ones do not."""
    log = await rig.open()
    member = await start(rig, log)
    before = dict(member.held)
    await member.release(before.values())
    await together(rig, [member], lambda: len(member.held) == 2, "both partitions again")
    await together(rig, [member], lambda: len(member.seen) >= 40, "the uncommitted records again")
    same(values(member.seen[30:]), list(range(20, 30)), "what came again")
    for number, lease in member.held.items():
        expect(lease.epoch > before[number].epoch, f"{lease} was granted after {before[number]}")


async def a_release_is_harmless_when_the_lease_is_gone(rig: Rig) -> None:
    """Releasing twice does nothing the second time, not even when somebody else holds the partition."""
    log = await rig.open()
    member = await start(rig, log)
    leases = list(member.held.values())
    await member.release(leases)
    heir = await Member.join(await rig.open(), WORK)
    await together(rig, [member, heir], lambda: len(heir.held) == 1, "one partition for the heir")
    held = dict(heir.held)
    for lease in leases:
        await member.subscription.release(lease)
    await together(rig, [heir], lambda: len(heir.seen) > 0, "records for the heir")
    same((heir.held, heir.lost), (held, []), "what the heir holds")
    same((await heir.commit()).fenced, [], "what the heir commits")


async def a_closed_member_hands_over_at_once(rig: Rig) -> None:
    """What a closing member held goes to one that already waits, before any lease could run out."""
    log, other = await rig.open(), await rig.open()
    member = await start(rig, log)
    heir = await Member.join(other, WORK)
    await together(rig, [member, heir], lambda: len(heir.held) == 1, "one partition each")
    waiting = asyncio.ensure_future(together(rig, [heir], lambda: len(heir.held) == 2, "the other partition"))
    await rig.sleep(0.1)
    started = now()
    await member.subscription.close()
    await waiting
    expect(now() - started < rig.lease_seconds, f"the hand-over took {now() - started} s")
    await together(rig, [heir], lambda: len(heir.seen) >= 10, "the uncommitted records")
    same(values(heir.seen), list(range(20, 30)), "what the heir polled")


async def a_released_lease_wakes_who_waits_for_it(rig: Rig) -> None:
    """One long poll returns as soon as the lease that its member lacks is released."""
    log = await rig.open()
    await log.ensure([TopicSpec("work", 1)])
    member = await Member.join(log, WORK)
    await together(rig, [member], lambda: len(member.held) == 1, "the partition")
    heir = await Member.join(await rig.open(), WORK)
    poll = asyncio.ensure_future(heir.turn(timeout=rig.lease_seconds + 20))
    await rig.sleep(0.1)
    started = now()
    await member.subscription.close()
    same(len((await poll).granted), 1, "leases granted")
    expect(now() - started < rig.lease_seconds, f"woken after {now() - started} s")


async def a_killed_member_is_replaced(rig: Rig) -> None:
    """Two seconds after its lease at the latest others hold what a killed member held, and go on from there."""
    log = await rig.open()
    member = await start(rig, log)
    heir = await Member.join(await rig.open(), WORK)
    await together(rig, [member, heir], lambda: len(heir.held) == 1, "one partition each")
    started = now()
    await rig.kill(log)
    await together(rig, [heir], lambda: len(heir.held) == 2, "the killed member's partition")
    expect(now() - started <= rig.lease_seconds + 2, f"the take-over took {now() - started} s")
    await together(rig, [heir], lambda: len(heir.seen) >= 10, "the uncommitted records")
    same(values(heir.seen), list(range(20, 30)), "what the heir polled")


async def a_killed_handle_loses_nothing_that_was_acknowledged(rig: Rig) -> None:
    """What append and commit returned for is there for everybody, however its writer ends."""
    log, witness = await rig.open(), await rig.open()
    await start(rig, log)
    await rig.kill(log)
    same(await count_of(witness, "work"), 30, "records")
    same(sum((await witness.committed("group/step")).values()), 20, "positions")


async def a_busy_member_keeps_its_leases(rig: Rig) -> None:
    """A member that works for longer than a lease without polling keeps what it holds, and commits it."""
    log = await rig.open()
    member = await start(rig, log)
    other = await Member.join(await rig.open(), WORK)
    await together(rig, [member, other], lambda: len(other.held) == 1, "one partition each")
    kept = dict(member.held)
    until = now() + 2.5 * rig.lease_seconds
    while now() < until:
        await other.turn(timeout=rig.lease_seconds / 4)
    same(len(other.held), 1, "partitions of the other member")
    same((await member.commit()).fenced, [], "fenced after a long silence")
    await member.turn()
    same((member.held, member.lost), (kept, []), "what the busy member holds")


async def a_waiting_member_keeps_its_leases(rig: Rig) -> None:
    """A poll may wait for longer than a lease lasts."""
    log = await rig.open()
    await log.ensure([TopicSpec("work", 2)])
    members = [await Member.join(await rig.open(), WORK) for _ in range(2)]
    await together(rig, members, lambda: all(len(m.held) == 1 for m in members), "one partition each")
    held = [(dict(m.held), len(m.granted)) for m in members]
    await asyncio.gather(*(member.turn(timeout=2 * rig.lease_seconds) for member in members))
    same([(m.held, len(m.granted)) for m in members], held, "leases after a long wait")
    same([m.lost for m in members], [[], []], "leases lost in a long wait")


CASES: tuple[Case, ...] = (
    a_released_lease_begins_where_it_was_committed,
    a_release_is_harmless_when_the_lease_is_gone,
    a_closed_member_hands_over_at_once,
    a_released_lease_wakes_who_waits_for_it,
    a_killed_member_is_replaced,
    a_killed_handle_loses_nothing_that_was_acknowledged,
    a_busy_member_keeps_its_leases,
    a_waiting_member_keeps_its_leases,
)
