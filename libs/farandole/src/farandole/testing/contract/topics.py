"""Topics: they are made once, with one shape, and every handle sees them."""

import asyncio

from farandole.events.errors import ConfigError, FarandoleError
from farandole.log.ports import Interest
from farandole.log.record import NewRecord, TopicSpec
from farandole.testing.contract.checks import expect, refused, same
from farandole.testing.contract.look import values_of
from farandole.testing.contract.rig import Case, Rig

SPECS = [TopicSpec("b.two", 2), TopicSpec("a.one"), TopicSpec("c.state", 2, compacted=True)]


async def topics_are_made_once(rig: Rig) -> None:
    """To ensure again changes nothing, and loses no record; `topics` lists all by name, for every handle."""
    log, other = await rig.open(), await rig.open()
    same(await log.topics(), [], "topics of a new log")
    await log.ensure(SPECS)
    await log.append([NewRecord("a.one", b"v")])
    await other.ensure([*SPECS, TopicSpec("d.more")])
    await log.ensure([])
    wanted = [SPECS[1], SPECS[0], SPECS[2], TopicSpec("d.more")]
    same((await log.topics(), await other.topics()), (wanted, wanted), "topics")
    same(await values_of(other, "a.one"), [b"v"], "records")


async def another_shape_is_refused(rig: Rig) -> None:
    """Another number of partitions or another compaction is refused, naming the topic; nothing changes."""
    log = await rig.open()
    await log.ensure(SPECS)
    for other in (TopicSpec("a.one", 2), TopicSpec("b.two", 1), TopicSpec("c.state", 2), TopicSpec("b.two", 2, True)):
        error = await refused(log.ensure([other]), ConfigError)
        expect(other.name in str(error), f"{other.name} is not named: {error}")
    same(await log.topics(), sorted(SPECS), "topics")


async def handles_may_ensure_at_once(rig: Rig) -> None:
    """Services that start together and want the same topics all get them."""
    logs = [await rig.open() for _ in range(4)]
    await asyncio.gather(*(log.ensure(SPECS) for log in logs))
    same(await logs[0].topics(), sorted(SPECS), "topics")


async def a_group_needs_its_topics(rig: Rig) -> None:
    """To subscribe to a topic, inbox or state that does not exist is refused, naming it."""
    log = await rig.open()
    await log.ensure(SPECS)
    whole = Interest("g/s", "b.two")
    for interest in (Interest("g/s", "nowhere"), whole._replace(inbox="nowhere"), whole._replace(state="nowhere")):
        error = await refused(log.subscribe(interest), FarandoleError)
        expect("nowhere" in str(error), f"the topic is not named: {error}")


CASES: tuple[Case, ...] = (
    topics_are_made_once,
    another_shape_is_refused,
    handles_may_ensure_at_once,
    a_group_needs_its_topics,
)
