"""Starting: where a group begins that never committed, and that it begins there only once."""

from farandole.log.ports import Interest, Log
from farandole.log.record import TopicSpec
from farandole.testing.contract.checks import same
from farandole.testing.contract.look import QUIET, eventually, numbered
from farandole.testing.contract.member import Member, together
from farandole.testing.contract.rig import Case, Rig

BEGINNING = Interest("group/step", "work")
NOW = Interest("group/step", "work", start="now")


async def start(log: Log) -> None:
    """Ten records in one partition."""
    await log.ensure([TopicSpec("work"), TopicSpec("inbox")])
    await log.append(numbered("work", 10))


async def lease(rig: Rig, log: Log, interest: Interest) -> Member:
    """A member that holds the partition."""
    member = await Member.join(log, interest)
    await together(rig, [member], lambda: len(member.held) == 1, "the partition")
    return member


def values(member: Member) -> list[int]:
    """The numbers that a member has polled."""
    return [int(record.value or b"-1") for record in member.seen]


async def the_beginning_is_the_beginning_of_the_log(rig: Rig) -> None:
    """A new group reads what was written before it came, and what comes after."""
    log = await rig.open()
    await start(log)
    member = await lease(rig, log, BEGINNING)
    await log.append(numbered("work", 5, first=10))
    await together(rig, [member], lambda: len(member.seen) >= 15, "all records")
    same(values(member), list(range(15)), "values")


async def now_is_the_end_when_first_leased(rig: Rig) -> None:
    """A group that starts now reads nothing that was there before, and everything after."""
    log = await rig.open()
    await start(log)
    member = await lease(rig, log, NOW)
    await log.append(numbered("work", 5, first=10))
    await together(rig, [member], lambda: len(member.seen) >= 5, "new records")
    same(values(member), list(range(10, 15)), "values")


async def now_is_now_only_once(rig: Rig) -> None:
    """What comes while nobody of the group is there is read later, though nothing was ever committed."""
    log, other = await rig.open(), await rig.open()
    await start(log)
    await lease(rig, log, NOW)

    async def noted() -> bool:
        spans = await other.spans(["work"])
        return await other.committed("group/step") == {place: span.end for place, span in spans.items()}

    await eventually(rig, noted, "the start as a committed position")
    await rig.kill(log)
    await other.append(numbered("work", 5, first=10))
    member = await lease(rig, other, NOW)
    await together(rig, [member], lambda: len(member.seen) >= 5, "records of the meantime")
    same(values(member), list(range(10, 15)), "values")


async def a_committed_position_beats_the_start(rig: Rig) -> None:
    """Once it has committed, a group goes on from there whatever `start` says."""
    log = await rig.open()
    await start(log)
    member = await Member.join(log, BEGINNING)
    await together(rig, [member], lambda: len(member.seen) >= 10, "all records")
    del member.fresh[0][4:]
    await member.commit()
    await member.subscription.close()
    for interest in (NOW, BEGINNING):
        member = await lease(rig, log, interest)
        await together(rig, [member], lambda m=member: len(m.seen) >= 6, "the rest")  # type: ignore[misc]
        same(values(member), list(range(4, 10)), f"values of {interest.start}")
        await member.subscription.close()


async def an_inbox_always_starts_at_its_beginning(rig: Rig) -> None:
    """What was sent to a step before it came is meant for it, also where it starts its topic now."""
    log = await rig.open()
    await start(log)
    await log.append(numbered("inbox", 3))
    member = await lease(rig, log, NOW._replace(inbox="inbox"))
    await together(rig, [member], lambda: len(member.seen) >= 3, "the inbox")
    await member.turn(timeout=QUIET)
    same([(r.topic, r.offset) for r in member.seen], [("inbox", n) for n in range(3)], "records")


CASES: tuple[Case, ...] = (
    the_beginning_is_the_beginning_of_the_log,
    now_is_the_end_when_first_leased,
    now_is_now_only_once,
    a_committed_position_beats_the_start,
    an_inbox_always_starts_at_its_beginning,
)
