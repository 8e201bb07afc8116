"""Pausing: one topic of a lease stands still while the other goes on, and nothing of it is lost or doubled."""

import asyncio

from farandole.log.ports import Interest, Log
from farandole.log.record import TopicSpec
from farandole.testing.contract.checks import expect, same
from farandole.testing.contract.look import QUIET, eventually, now, numbered
from farandole.testing.contract.member import Member, together
from farandole.testing.contract.rig import Case, Rig

WORK = Interest("group/step", "work", inbox="inbox")


async def start(rig: Rig, log: Log) -> Member:
    """A member that has polled five records of its topic and three of its inbox."""
    await log.ensure([TopicSpec("work"), TopicSpec("inbox")])
    await log.append([*numbered("work", 5), *numbered("inbox", 3)])
    member = await Member.join(log, WORK)
    await together(rig, [member], lambda: len(member.seen) == 8, "topic and inbox")
    return member


def numbers(member: Member, topic: str) -> list[int]:
    """The numbers that a member has polled of a topic."""
    return [int(record.value or b"-1") for record in member.seen if record.topic == topic]


async def a_lease_covers_topic_and_inbox(rig: Rig) -> None:
    """One lease gives the records of both topics, each in its order, from its own position."""
    log = await rig.open()
    member = await start(rig, log)
    same((numbers(member, "work"), numbers(member, "inbox")), ([*range(5)], [*range(3)]), "numbers")
    await member.commit()
    same(await log.committed("group/step"), {("work", 0): 5, ("inbox", 0): 3}, "positions")


async def a_paused_topic_is_not_polled(rig: Rig) -> None:
    """While it is paused its records stay, and those of the inbox come; resumed, it goes on where it stood."""
    log = await rig.open()
    member = await start(rig, log)
    lease = member.held[0]
    member.subscription.pause(lease, "work")
    await log.append([*numbered("work", 5, first=5), *numbered("inbox", 2, first=3)])
    await together(rig, [member], lambda: len(numbers(member, "inbox")) == 5, "the inbox")
    await member.turn(timeout=QUIET)
    same(numbers(member, "work"), [*range(5)], "numbers while paused")
    member.subscription.resume(lease, "work")
    await together(rig, [member], lambda: len(numbers(member, "work")) >= 10, "the rest of the topic")
    same(numbers(member, "work"), [*range(10)], "numbers in the end")


async def a_pause_takes_nothing_back(rig: Rig) -> None:
    """What was handed out before the pause commits as ever, and does not come again after it."""
    log = await rig.open()
    member = await start(rig, log)
    lease = member.held[0]
    for topic in ("work", "inbox"):
        member.subscription.pause(lease, topic)
    same((await member.commit()).fenced, [], "fenced while paused")
    for topic in ("work", "inbox"):
        member.subscription.resume(lease, topic)
    same((await member.turn(timeout=QUIET)).records, [], "records after the pause")
    same(await log.committed("group/step"), {("work", 0): 5, ("inbox", 0): 3}, "positions")


async def a_resume_wakes_a_waiting_poll(rig: Rig) -> None:
    """A poll that waits while its topic is paused returns when the topic is resumed."""
    log = await rig.open()
    member = await start(rig, log)
    lease = member.held[0]
    member.subscription.pause(lease, "work")
    await log.append(numbered("work", 1, first=5))
    poll = asyncio.ensure_future(member.turn(timeout=rig.lease_seconds + 20))
    await rig.sleep(0.1)
    expect(not poll.done(), "a poll returned although everything new is paused")
    started = now()
    member.subscription.resume(lease, "work")
    same([r.value for r in (await poll).records], [b"5"], "values")
    expect(now() - started < rig.lease_seconds, f"woken after {now() - started} s")


async def a_pause_ends_with_its_lease(rig: Rig) -> None:
    """Who is granted the partition next polls all its topics; to pause a lease that is gone is harmless."""
    log = await rig.open()
    member = await start(rig, log)
    lease = member.held[0]
    member.subscription.pause(lease, "work")
    await member.release([lease])

    async def again() -> bool:
        await member.turn()
        return len(member.seen) >= 16

    await eventually(rig, again, "topic and inbox again")
    member.subscription.pause(lease, "work")
    member.subscription.resume(lease, "work")
    await log.append(numbered("work", 1, first=5))
    await together(rig, [member], lambda: numbers(member, "work")[-1] == 5, "a further record")


CASES: tuple[Case, ...] = (
    a_lease_covers_topic_and_inbox,
    a_paused_topic_is_not_polled,
    a_pause_takes_nothing_back,
    a_resume_wakes_a_waiting_poll,
    a_pause_ends_with_its_lease,
)
