"""Crash: wherever a handle dies, each of its calls is in the log as a whole or not at all."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from farandole.log.ports import Interest, Lease, Log, Unit
from farandole.log.record import NewRecord, Record, TopicSpec
from farandole.testing.contract.checks import expect, same
from farandole.testing.contract.look import attempt, eventually, numbered, records_of, values_of
from farandole.testing.contract.member import Member, together
from farandole.testing.contract.rig import Case, Rig

COUNT = 6


class Scene(NamedTuple):
    """One crash: its point, and topics of its own."""

    point: str
    interest: Interest
    out: str
    aside: str

    def outputs(self, record: Record) -> list[NewRecord]:
        """What the step gives for a record: an event and a row."""
        row = NewRecord(self.interest.state or "", record.value, record.key, partition=record.partition)
        return [NewRecord(self.out, record.value, b"k"), row]


async def scenes(rig: Rig, log: Log) -> list[Scene]:
    """One scene per crash point, with its topics made and its input appended."""
    made = []
    for n, point in enumerate(rig.crash_points):
        interest = Interest(f"group/step-{n}", f"work-{n}", state=f"state-{n}")
        made.append(Scene(point, interest, f"out-{n}", f"aside-{n}"))
        topics = [TopicSpec(name) for name in (f"work-{n}", f"out-{n}", f"aside-{n}")]
        await log.ensure([*topics, TopicSpec(f"state-{n}", compacted=True)])
        await log.append(numbered(f"work-{n}", COUNT))
    return made


async def ready(rig: Rig, log: Log, scene: Scene) -> Member:
    """A member that has polled everything and committed nothing."""
    member = await Member.join(log, scene.interest)
    await together(rig, [member], lambda: len(member.seen) == COUNT, "all records")
    return member


async def visible(log: Log, scene: Scene) -> tuple[int, int, int]:
    """How many outputs and rows are in the log, and the committed position."""
    positions = await log.committed(scene.interest.group)
    outputs, rows = await values_of(log, scene.out), await values_of(log, scene.interest.state or "")
    same(outputs, [b"%d" % n for n in range(len(outputs))], f"outputs after {scene.point}")
    return len(outputs), len(rows), positions.get((scene.interest.topic, 0), 0)


async def a_crash_leaves_all_of_a_call_or_nothing(rig: Rig) -> None:
    """At every crash point: outputs, rows and position of a commit, and records of an append, all or none."""
    witness = await rig.open()
    for scene in await scenes(rig, witness):
        log = await rig.open()
        member = await ready(rig, log, scene)
        await rig.crash_at(log, scene.point)
        append = await attempt(rig, log.append(numbered(scene.aside, 3)))
        commit = await attempt(rig, member.commit(scene.outputs))
        aside = len(await values_of(witness, scene.aside))
        expect(aside in (0, 3), f"{aside} of 3 appended records are there, crashed at {scene.point}")
        expect(aside == 3 or not append.returned, f"an append returned and is not there: {scene.point}")
        there = await visible(witness, scene)
        expect(there in ((0, 0, 0), (COUNT,) * 3), f"outputs, rows, position {there}, crashed at {scene.point}")
        expect(there[0] or not commit.returned, f"a commit returned and is not there: {scene.point}")


async def every_crash_point_kills(rig: Rig) -> None:
    """The crash points are real: an append followed by a commit does not survive any of them."""
    witness = await rig.open()
    for scene in await scenes(rig, witness):
        log = await rig.open()
        member = await ready(rig, log, scene)
        await rig.crash_at(log, scene.point)
        append = await attempt(rig, log.append(numbered(scene.aside, 3)))
        commit = await attempt(rig, member.commit(scene.outputs))
        expect(not (append.returned and commit.returned), f"nothing crashed at {scene.point}")


async def a_successor_finishes_what_a_crash_left(rig: Rig) -> None:
    """Whoever takes over after a crash, at whatever point, handles each record exactly once in the end."""
    witness = await rig.open()
    made = await scenes(rig, witness)
    for scene in made:
        log = await rig.open()
        member = await ready(rig, log, scene)
        await rig.crash_at(log, scene.point)
        await attempt(rig, member.commit(scene.outputs))
        await attempt(rig, log.append(numbered(scene.aside, 1)))
        await rig.kill(log)
    heirs = [await Member.join(witness, scene.interest) for scene in made]

    async def finished() -> bool:
        await asyncio.gather(*(heir.work(s.outputs) for heir, s in zip(heirs, made, strict=True)))
        return await asyncio.gather(*(visible(witness, scene) for scene in made)) == [(COUNT,) * 3] * len(made)

    await eventually(rig, finished, "every record handled once after every crash")
    for scene in made:
        rows = {row.key: row.value for row in await records_of(witness, scene.interest.state or "")}
        same(rows, {b"%d" % n: b"%d" % n for n in range(COUNT)}, f"rows after {scene.point}")


async def a_crash_between_commits_leaves_a_prefix(rig: Rig) -> None:
    """Of two commits under way, a crash leaves none, the first, or both; what returned is there."""
    witness = await rig.open()
    for scene in await scenes(rig, witness):
        log = await rig.open()
        member = await ready(rig, log, scene)
        lease, half = member.held[0], COUNT // 2
        units = [_unit(scene, lease, records) for records in (member.seen[:half], member.seen[half:])]
        await rig.crash_at(log, scene.point)
        calls = [attempt(rig, member.subscription.commit([unit])) for unit in units]
        returned = [one.returned for one in await asyncio.gather(*calls)]
        there = await visible(witness, scene)
        expect(there in ((0,) * 3, (half,) * 3, (COUNT,) * 3), f"{there} after {scene.point}")
        expect(there[0] >= half * returned.count(True), f"{returned} and yet {there}: {scene.point}")


async def what_is_uncommitted_never_leaks(rig: Rig) -> None:
    """While one commit is under way the next is prepared in the same lists; a crash leaves nothing of it."""
    witness = await rig.open()
    for scene in await scenes(rig, witness):
        log = await rig.open()
        member = await ready(rig, log, scene)
        outputs = [new for record in member.seen[:2] for new in scene.outputs(record)]
        positions = {scene.interest.topic: 2}
        await rig.crash_at(log, scene.point)
        units = [Unit(member.held[0], outputs, positions)]
        commit = asyncio.ensure_future(member.subscription.commit(units))
        await asyncio.sleep(0)
        outputs += [new for record in member.seen[2:] for new in scene.outputs(record)]
        positions[scene.interest.topic] = COUNT
        await attempt(rig, commit)
        there = await visible(witness, scene)
        expect(there in ((0,) * 3, (2,) * 3), f"outputs, rows, position {there}, crashed at {scene.point}")


def _unit(scene: Scene, lease: Lease, records: Sequence[Record]) -> Unit:
    """What commits for some records: their outputs, and the position behind the last."""
    outputs = [new for record in records for new in scene.outputs(record)]
    return Unit(lease, outputs, {scene.interest.topic: records[-1].offset + 1})


CASES: tuple[Case, ...] = (
    a_crash_leaves_all_of_a_call_or_nothing,
    every_crash_point_kills,
    a_successor_finishes_what_a_crash_left,
    a_crash_between_commits_leaves_a_prefix,
    what_is_uncommitted_never_leaks,
)
