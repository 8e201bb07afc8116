"""A storm over a memory cluster: producers and workers that go on through every fault, and what they saw."""

import asyncio
from collections import Counter
from dataclasses import dataclass

from farandole.engines.memory.cluster import Cluster
from farandole.engines.memory.faults import HandleKilled, Stage
from farandole.engines.memory.log import MemoryLog
from farandole.events.errors import Fenced, LogUnavailable
from farandole.log.ports import Interest, Lease, Subscription, Unit
from farandole.log.record import NewRecord, Record, TopicSpec

PARTITIONS = 3
WORK = Interest("storm/step", "in", state="state")


@dataclass(frozen=True, slots=True)
class Rates:
    """In what share of all stages each fault strikes."""

    late: float = 0.05
    unavailable: float = 0.02
    expired: float = 0.01
    paused: float = 0.006
    killed: float = 0.008


class Faults:
    """Implements the engine's `Faults`: all kinds, drawn from the cluster's seed, until `calm`."""

    def __init__(self, cluster: Cluster, rates: Rates) -> None:
        self.calm = False
        self.struck: Counter[str] = Counter()
        self.trace: list[tuple[float, str, str, str]] = []
        self._cluster, self._rates = cluster, rates

    async def point(self, handle: str, operation: str, stage: Stage) -> None:
        """What befalls this operation."""
        loop, cluster, rates = asyncio.get_running_loop(), self._cluster, self._rates
        self.trace.append((loop.time(), handle, operation, stage))
        if self.calm or handle == "witness":
            return
        if self._strikes("late", rates.late):
            await asyncio.sleep(cluster.chance.between(0.0, 1.0))
        if self._strikes("expired", rates.expired):
            cluster.expire(handle)
        if self._strikes("paused", rates.paused):
            cluster.pause(handle)
            loop.call_later(cluster.chance.between(0.0, 15.0), cluster.resume, handle)
        if self._strikes("killed", rates.killed):
            cluster.kill(handle)
        if self._strikes("unavailable", rates.unavailable):
            raise LogUnavailable("a fault of the storm")

    def _strikes(self, fault: str, share: float) -> bool:
        strikes = not self.calm and self._cluster.chance.happens(share)
        self.struck[fault] += strikes
        return strikes


class Scene:
    """Everything that happens in one storm."""

    def __init__(self, cluster: Cluster, *, records: int, rates: Rates) -> None:
        self.cluster, self.records = cluster, records
        self.faults = Faults(cluster, rates)
        self.epochs: list[Lease] = []
        self.followed: list[Record] = []
        self._handles = Counter[str]()

    async def play(self) -> None:
        """Storm until everything is produced and some time has passed, then calm, then finish."""
        witness = MemoryLog(self.cluster, name="witness")
        state = TopicSpec("state", PARTITIONS, compacted=True)
        await witness.ensure([TopicSpec("in", PARTITIONS), TopicSpec("out", PARTITIONS), state])
        self.cluster.faults = self.faults
        workers = [asyncio.ensure_future(self._work(f"worker-{n}")) for n in range(3)]
        follower = asyncio.ensure_future(self._follow())
        await asyncio.gather(*(self._produce(f"producer-{n}") for n in range(2)))
        self.faults.calm = True
        for _ in range(200):
            for task in (*workers, follower):
                if task.done():
                    task.result()
            if await self._finished(witness):
                break
            await asyncio.sleep(0.5)
        else:
            raise AssertionError("100 s after the storm not everything is done")
        for task in (*workers, follower):
            task.cancel()
        await asyncio.gather(*workers, follower, return_exceptions=True)

    def _open(self, who: str) -> MemoryLog:
        """The next process of this name."""
        self._handles[who] += 1
        return MemoryLog(self.cluster, name=f"{who}/{self._handles[who]}")

    async def _produce(self, who: str) -> None:
        """Append numbered records in order, each call again until it is acknowledged."""
        log = self._open(who)
        done = 0
        while done < self.records:
            numbers = range(done, min(self.records, done + 3))
            new = [NewRecord("in", f"{who}:{n}".encode(), b"%d" % (n % 5)) for n in numbers]
            try:
                await log.append(new, identities=[f"{who}:{n}".encode() for n in numbers])
            except LogUnavailable:
                continue
            except HandleKilled:
                log = self._open(who)
                continue
            done = numbers.stop
            await asyncio.sleep(self.cluster.chance.between(0.0, 2.0))

    async def _work(self, who: str) -> None:
        """Take part in the group, with a new member after every failure."""
        while True:
            log = self._open(who)
            try:
                await self._serve(log, await log.subscribe(WORK))
            except HandleKilled:
                await asyncio.sleep(1.0)
            except LogUnavailable:
                self.cluster.kill(log.name)  # as a process that ends: leases run out

    async def _serve(self, log: MemoryLog, subscription: Subscription) -> None:
        leases: dict[int, Lease] = {}
        counts: dict[int, int] = {}
        while True:
            polled = await subscription.poll(limit=5, timeout=3.0)
            for lease in polled.lost:
                leases.pop(lease.partition, None)
            self.epochs += polled.granted
            for lease in polled.granted:
                try:
                    counts[lease.partition] = await self._restore(log, subscription, lease)
                    leases[lease.partition] = lease
                except Fenced:
                    continue
            await asyncio.sleep(self.cluster.chance.between(0.0, 1.0))  # the work, in which much may befall it
            units = [_unit(leases[n], counts, _of(polled.records, n)) for n in sorted(leases)]
            for unit in (await subscription.commit([u for u in units if u.positions])).fenced:
                leases.pop(unit.lease.partition, None)
            for lease in polled.revoking:
                leases.pop(lease.partition, None)
                await subscription.release(lease)

    async def _restore(self, log: MemoryLog, subscription: Subscription, lease: Lease) -> int:
        """The count in the state, which is the committed position: both commit together or not at all."""
        rows = await subscription.restore(lease)
        position = (await log.committed(WORK.group)).get(("in", lease.partition), 0)
        count = int(rows[0].value or b"0") if rows else 0
        held = self.cluster.group(WORK.group, WORK.topic).holds.get(lease.partition)
        if held is not None and held.lease == lease:
            assert count == position, f"state counts {count}, position is {position}"
        return count

    async def _follow(self) -> None:
        """Read all outputs, going on after every failure from the last positions."""
        start: dict[tuple[str, int], int] = {}
        while True:
            try:
                reader = await self._open("follower").reader(["out"], start)
                while True:
                    self.followed += await reader.poll(limit=7, timeout=5.0)
                    start = reader.positions()
            except (LogUnavailable, HandleKilled):
                await asyncio.sleep(0.5)

    async def _finished(self, witness: MemoryLog) -> bool:
        ends = {place: span.end for place, span in (await witness.spans(["in"])).items() if span.end}
        outputs = sum(span.end for span in (await witness.spans(["out"])).values())
        return await witness.committed(WORK.group) == ends and len(self.followed) == outputs


def _of(records: list[Record], partition: int) -> list[Record]:
    return [record for record in records if record.partition == partition]


def _unit(lease: Lease, counts: dict[int, int], records: list[Record]) -> Unit:
    """Each record's output, and the new count as a row."""
    if not records:
        return Unit(lease, [], {})
    number = lease.partition
    counts[number] += len(records)
    new = [NewRecord("out", record.value, partition=number) for record in records]
    row = NewRecord("state", b"%d" % counts[number], b"count", partition=number)
    return Unit(lease, [*new, row], {"in": records[-1].offset + 1})
