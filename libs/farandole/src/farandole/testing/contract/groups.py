"""Groups: members share the partitions evenly, and hand over to each other as they come and go."""

from collections.abc import Sequence

from farandole.log.ports import Interest
from farandole.log.record import TopicSpec
from farandole.testing.contract.checks import expect, same
from farandole.testing.contract.look import eventually, now, numbered
from farandole.testing.contract.member import Member, together, turns, until
from farandole.testing.contract.rig import Case, Rig

WORK = Interest("group/step", "work")


def shares(members: Sequence[Member]) -> list[int]:
    """How many leases each member holds."""
    return [len(member.held) for member in members]


def settled(members: Sequence[Member], partitions: int) -> bool:
    """Whether every partition is held once, and no member holds two more than another."""
    held = [number for member in members for number in member.held]
    counts = shares(members)
    return sorted(held) == list(range(partitions)) and max(counts) - min(counts) <= 1


async def a_lone_member_has_every_partition(rig: Rig) -> None:
    """One member leases all partitions and reads all records."""
    log = await rig.open()
    await log.ensure([TopicSpec("work", 4)])
    await log.append(numbered("work", 40))
    member = await Member.join(log, WORK)
    await together(rig, [member], lambda: len(member.seen) == 40, "all records")
    same(sorted(member.held), [0, 1, 2, 3], "partitions leased")


async def members_share_evenly(rig: Rig) -> None:
    """However many members come and go, their shares differ by at most one once things have settled."""
    log = await rig.open()
    await log.ensure([TopicSpec("work", 5)])
    members: list[Member] = []
    for count in (1, 2, 3, 6):
        while len(members) < count:
            members.append(await Member.join(await rig.open(), WORK))
        await together(rig, members, lambda: settled(members, 5), f"even shares of {count} members")
    for gone in members[3:]:
        await gone.subscription.close()
    del members[3:]
    await together(rig, members, lambda: settled(members, 5), "even shares of those who stayed")


async def members_of_one_handle_share_too(rig: Rig) -> None:
    """Two subscriptions of one handle are two members."""
    log = await rig.open()
    await log.ensure([TopicSpec("work", 4)])
    members = [await Member.join(log, WORK) for _ in range(2)]
    await together(rig, members, lambda: shares(members) == [2, 2], "two leases each")


async def what_need_not_move_stays(rig: Rig) -> None:
    """A newcomer takes only its share: what the others keep, they keep in the same epoch."""
    log = await rig.open()
    await log.ensure([TopicSpec("work", 4)])
    first = await Member.join(log, WORK)
    await together(rig, [first], lambda: len(first.held) == 4, "all partitions")
    second = await Member.join(await rig.open(), WORK)
    await together(rig, [first, second], lambda: settled([first, second], 4), "even shares")
    same(len(first.granted), 4, "leases ever granted to the first member")
    same(first.lost, [], "leases lost by the first member")
    await second.subscription.close()
    await together(rig, [first], lambda: len(first.held) == 4, "all partitions again")
    same(len(first.granted), 6, "leases ever granted, two of them again")


async def a_revoked_lease_stands_until_it_is_released(rig: Rig) -> None:
    """While a member drains what it is to give back, it may commit it, and nobody else is granted it."""
    log = await rig.open()
    await log.ensure([TopicSpec("work", 2)])
    await log.append(numbered("work", 20))
    old = await Member.join(log, WORK)
    await together(rig, [old], lambda: len(old.seen) == 20, "all records")
    new = await Member.join(await rig.open(), WORK)
    await until(rig, lambda: turns(old, new), lambda: old.revoking, "a lease revoked for the second member")
    await turns(old, new)
    same(new.held, {}, "granted before it was released")
    same((await old.commit()).fenced, [], "fenced while revoking")
    await together(rig, [old, new], lambda: settled([old, new], 2), "one partition each")
    same(new.seen, [], "records that were committed before the release")


async def a_newcomer_makes_a_waiting_member_give_back(rig: Rig) -> None:
    """A member that waits in a poll hears of what it is to release without a record having to come."""
    log = await rig.open()
    await log.ensure([TopicSpec("work", 2)])
    first = await Member.join(log, WORK)
    await together(rig, [first], lambda: len(first.held) == 2, "both partitions")
    second = await Member.join(await rig.open(), WORK)
    started = now()
    await together(rig, [first, second], lambda: settled([first, second], 2), "one partition each")
    expect(now() - started < rig.lease_seconds + 2, f"the hand-over took {now() - started} s")


async def groups_do_not_disturb_each_other(rig: Rig) -> None:
    """Each group reads every record and has positions of its own; so has one group on two topics."""
    log = await rig.open()
    await log.ensure([TopicSpec("work", 2), TopicSpec("more", 2)])
    await log.append([*numbered("work", 20), *numbered("more", 20)])
    interests = [Interest("a/step", "work"), Interest("b/step", "work"), Interest("a/step", "more")]
    members = [await Member.join(log, interest) for interest in interests]
    await together(rig, members, lambda: all(len(m.seen) == 20 for m in members), "20 records each")
    await members[0].commit()
    same(sum((await log.committed("a/step")).values()), 20, "what the first group committed")
    same(await log.committed("b/step"), {}, "what the second group committed")
    await members[2].commit()
    same(sum((await log.committed("a/step")).values()), 40, "what one group committed of two topics")


async def leases_tell_who_holds_what(rig: Rig) -> None:
    """`leases` names every lease in force and a name per holder; after the end of all there is none."""
    log = await rig.open()
    await log.ensure([TopicSpec("work", 4)])
    members = [await Member.join(await rig.open(), WORK) for _ in range(2)]
    await together(rig, members, lambda: settled(members, 4), "even shares")
    found = (await log.leases())["group/step"]
    wanted = sorted(lease for member in members for lease in member.held.values())
    same(sorted(lease for lease, _ in found), wanted, "leases")
    names = dict(found)
    of_each = [{names[lease] for lease in member.held.values()} for member in members]
    expect([len(each) for each in of_each] == [1, 1] and of_each[0] != of_each[1], f"holders {of_each}")
    for member in members:
        await member.subscription.close()

    async def none() -> bool:
        return not (await log.leases()).get("group/step")

    await eventually(rig, none, "no lease in force")


CASES: tuple[Case, ...] = (
    a_lone_member_has_every_partition,
    members_share_evenly,
    members_of_one_handle_share_too,
    what_need_not_move_stays,
    a_revoked_lease_stands_until_it_is_released,
    a_newcomer_makes_a_waiting_member_give_back,
    groups_do_not_disturb_each_other,
    leases_tell_who_holds_what,
)
