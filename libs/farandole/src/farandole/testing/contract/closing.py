"""Closing: ends everything of a handle, once; a call that is cancelled loses nothing."""

import asyncio

from farandole.events.errors import LogError
from farandole.log.ports import Interest, Polled
from farandole.log.record import TopicSpec
from farandole.testing.contract.checks import expect, refused, same
from farandole.testing.contract.look import attempt, now, numbered, patience
from farandole.testing.contract.member import Member, together
from farandole.testing.contract.rig import Case, Rig

WORK = Interest("group/step", "work")


async def closing_is_idempotent(rig: Rig) -> None:
    """Log, subscription and reader may be closed again, in whatever order."""
    log = await rig.open()
    await log.ensure([TopicSpec("work")])
    subscription, reader = await log.subscribe(WORK), await log.reader(["work"])
    await subscription.close()
    await subscription.close()
    await log.close()
    await reader.close()
    await subscription.close()
    await log.close()


async def closing_a_log_gives_its_leases_back(rig: Rig) -> None:
    """A handle's end is the end of its members: another has their partitions before a lease could run out."""
    log, other = await rig.open(), await rig.open()
    await log.ensure([TopicSpec("work", 2)])
    member = await Member.join(log, WORK)
    await together(rig, [member], lambda: len(member.held) == 2, "both partitions")
    heir = await Member.join(other, WORK)
    started = now()
    await log.close()
    await together(rig, [heir], lambda: len(heir.held) == 2, "both partitions for the heir")
    expect(now() - started < rig.lease_seconds, f"the hand-over took {now() - started} s")


async def closing_ends_what_is_waiting(rig: Rig) -> None:
    """Polls that wait when their handle is closed end, with an error or with nothing."""
    log = await rig.open()
    await log.ensure([TopicSpec("work")])
    member, reader = await Member.join(log, WORK), await log.reader(["work"])
    await together(rig, [member], lambda: len(member.held) == 1, "the partition")
    long = patience(rig) + 60
    polls = [attempt(rig, member.subscription.poll(limit=1, timeout=long)), attempt(rig, reader.poll(timeout=long))]
    waiting = asyncio.gather(*polls)
    await rig.sleep(0.1)
    started = now()
    await log.close()
    for ended in await waiting:
        nothing = not ended.returned or ended.result in ([], Polled([], [], [], []))
        expect(nothing, f"a poll of a closed handle gave {ended.result}")
    expect(now() - started < rig.lease_seconds, f"they ended after {now() - started} s")


async def a_closed_log_refuses(rig: Rig) -> None:
    """A closed handle neither writes nor reads; it raises LogError."""
    log, other = await rig.open(), await rig.open()
    await log.ensure([TopicSpec("work")])
    await log.close()
    for call in (log.append(numbered("work", 1)), log.subscribe(WORK), log.topics()):
        await refused(call, LogError)
    same(sum(span.end for span in (await other.spans(["work"])).values()), 0, "records")


async def a_cancelled_poll_loses_nothing(rig: Rig) -> None:
    """Whoever gives up waiting, and polls again, has every lease and every record once."""
    log = await rig.open()
    await log.ensure([TopicSpec("work")])
    member, reader = await Member.join(log, WORK), await log.reader(["work"])
    await together(rig, [member], lambda: len(member.held) == 1, "the partition")
    for n in range(6):
        polls = [asyncio.ensure_future(poll) for poll in (member.turn(timeout=60), reader.poll(timeout=60))]
        await asyncio.sleep(0 if n % 2 else 0.05)
        for poll in polls:
            poll.cancel()
        await asyncio.gather(*polls, return_exceptions=True)
        await log.append(numbered("work", 1, first=n))
    await together(rig, [member], lambda: len(member.seen) >= 6, "all records")
    same([r.value for r in member.seen], [b"%d" % n for n in range(6)], "values polled by the member")


CASES: tuple[Case, ...] = (
    closing_is_idempotent,
    closing_a_log_gives_its_leases_back,
    closing_ends_what_is_waiting,
    a_closed_log_refuses,
    a_cancelled_poll_loses_nothing,
)
