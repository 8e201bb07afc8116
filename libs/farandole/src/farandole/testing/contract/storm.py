"""Storm: members come, go, stop and die in a random order, and still every record counts once, in order."""

import random
from collections.abc import Awaitable, Callable

from farandole.log.ports import Interest, Log
from farandole.log.record import NewRecord, Record, TopicSpec
from farandole.testing.contract.checks import same
from farandole.testing.contract.look import attempt, behind_last, eventually, numbered, records_of
from farandole.testing.contract.member import Member, turns
from farandole.testing.contract.rig import Case, Rig

WORK = Interest("group/step", "work", state="state")
PARTITIONS = 3
ROUNDS = 14
SEED = 2026


def outputs(record: Record) -> list[NewRecord]:
    """What the step gives for a record: an event that says where it came from, and a row."""
    origin = b"%d" % record.partition
    row = NewRecord("state", record.value, record.key, partition=record.partition)
    return [NewRecord("out", record.value, origin, partition=0), row]


class Troupe:
    """Members of one group, each with a handle of its own; some of them stand still."""

    def __init__(self, rig: Rig, chance: random.Random) -> None:
        self.rig, self.chance = rig, chance
        self.members: list[tuple[Log, Member]] = []
        self.frozen: list[tuple[Log, Member]] = []

    async def come(self) -> None:
        """A new member."""
        log = await self.rig.open()
        self.members.append((log, await Member.join(log, WORK)))

    async def go(self) -> None:
        """One leaves in good order, with or without committing before."""
        log, member = self._out()
        if self.chance.random() < 0.5:
            await member.commit(outputs)
        await log.close()

    async def die(self) -> None:
        """One is killed, its commit perhaps under way."""
        log, _ = self._out()
        await self.rig.kill(log)

    async def stop(self) -> None:
        """One stands still from now on."""
        self.frozen.append(self._out())
        await self.rig.freeze(self.frozen[-1][0])

    async def wake(self) -> None:
        """One that stands still goes on, and commits at once what it had."""
        if self.frozen:
            log, member = self.frozen.pop(0)
            await self.rig.thaw(log)
            await attempt(self.rig, member.commit(outputs))
            self.members.append((log, member))

    async def work(self) -> None:
        """All that live poll, commit and release."""
        await turns(*(member for _, member in self.members))
        for _, member in self.members:
            if member.fresh and self.chance.random() < 0.7:
                await member.commit(outputs)
            if self.chance.random() < 0.7:
                await member.release(member.revoking)

    def _out(self) -> tuple[Log, Member]:
        return self.members.pop(self.chance.randrange(len(self.members)))


async def every_record_counts_once_whoever_comes_and_goes(rig: Rig) -> None:
    """Through joins, leaves, kills and stops: one output per record, in the order of its partition, and its row."""
    witness = await rig.open()
    state = TopicSpec("state", PARTITIONS, compacted=True)
    await witness.ensure([TopicSpec("work", PARTITIONS), TopicSpec("out"), state])
    chance = random.Random(SEED)
    troupe = Troupe(rig, chance)
    written = 0
    for _ in range(ROUNDS):
        await witness.append(numbered("work", 10, first=written))
        written += 10
        for event in _events(troupe):
            await event()
        await troupe.work()
    for log, member in [*troupe.members, *troupe.frozen]:
        await rig.kill(log)
        member.fresh = {}
    await _finish(rig, witness)
    await _judge(witness, written)


def _events(troupe: Troupe) -> list[Callable[[], Awaitable[None]]]:
    """What happens in a round: nobody goes while fewer than two are there."""
    if len(troupe.members) < 2:
        return [troupe.come]
    return [troupe.chance.choice([troupe.come, troupe.go, troupe.die, troupe.stop, troupe.wake, troupe.wake])]


async def _finish(rig: Rig, witness: Log) -> None:
    heir = await Member.join(witness, WORK)
    ends = await behind_last(witness, "work")

    async def finished() -> bool:
        await heir.work(outputs)
        return await witness.committed("group/step") == ends

    await eventually(rig, finished, "everything committed")


async def _judge(log: Log, written: int) -> None:
    inputs, found = await records_of(log, "work"), await records_of(log, "out")
    same(len(inputs), written, "records written")
    for number in range(PARTITIONS):
        wanted = [record.value for record in inputs if record.partition == number]
        got = [record.value for record in found if record.key == b"%d" % number]
        same(got, wanted, f"outputs of partition {number}, seed {SEED}")
    rows = {row.key: row.value for row in await records_of(log, "state")}
    same(rows, {record.key: record.value for record in inputs}, f"rows, seed {SEED}")


CASES: tuple[Case, ...] = (every_record_counts_once_whoever_comes_and_goes,)
