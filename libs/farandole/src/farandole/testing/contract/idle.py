"""Idleness: who waits costs nothing, and is back when his time is up."""

import asyncio

from farandole.log.ports import Interest
from farandole.log.record import TopicSpec
from farandole.testing.contract.checks import expect, same
from farandole.testing.contract.look import now, patience
from farandole.testing.contract.member import Member, together
from farandole.testing.contract.rig import Case, Rig

WATCHED = 4.0
"""Seconds over which the cost of waiting is measured."""
SETTLING = 3.0
"""Seconds after which who has nothing to do may rest."""
COST = 0.02
"""The share of one core that a waiting process may take."""


async def a_poll_ends_when_its_time_is_up(rig: Rig) -> None:
    """With nothing to give, a poll waits as long as it was told, and comes back empty."""
    log = await rig.open()
    await log.ensure([TopicSpec("work")])
    member, reader = await Member.join(log, Interest("group/step", "work")), await log.reader(["work"])
    await together(rig, [member], lambda: len(member.held) == 1, "the partition")
    started = now()
    polled, records = await asyncio.gather(member.turn(timeout=0.5), reader.poll(timeout=0.5))
    same((polled.records, polled.granted, polled.lost, records), ([], [], [], []), "what came of nothing")
    expect(0.45 <= now() - started < patience(rig), f"the polls took {now() - started} s, not 0.5")


async def waiting_costs_nothing(rig: Rig) -> None:
    """On a real clock: while a member and a reader wait, their process takes less than a fiftieth of a core."""
    if not rig.real_time:
        return
    log = await rig.open()
    await log.ensure([TopicSpec("work", 4)])
    member = await Member.join(log, Interest("group/step", "work"))
    await together(rig, [member], lambda: len(member.held) == 4, "all partitions")
    reader = await log.reader(["work"])
    await rig.sleep(SETTLING)
    used = rig.cpu_seconds(log)
    await asyncio.gather(member.turn(timeout=WATCHED), reader.poll(timeout=WATCHED))
    used = rig.cpu_seconds(log) - used
    expect(used < COST * WATCHED, f"waiting took {used:.3f} s of CPU in {WATCHED} s")


CASES: tuple[Case, ...] = (a_poll_ends_when_its_time_is_up, waiting_costs_nothing)
