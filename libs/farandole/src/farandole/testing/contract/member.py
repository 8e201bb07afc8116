"""`Member`: a worker reduced to its duties towards the log, which checks at every poll what a poll promises."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from farandole.log.ports import Committed, Interest, Lease, Log, Polled, Subscription, Unit
from farandole.log.record import NewRecord, Record
from farandole.testing.contract.checks import expect
from farandole.testing.contract.look import now, patience
from farandole.testing.contract.rig import Rig

Make = Callable[[Record], Sequence[NewRecord]]
"""What a step gives for a record."""


class Member:
    """Polls, restores, drops what is lost, releases what is revoked, and commits when it is told to."""

    def __init__(self, subscription: Subscription, interest: Interest) -> None:
        self.subscription, self.interest = subscription, interest
        self.held: dict[int, Lease] = {}
        self.granted: list[Lease] = []
        self.lost: list[Lease] = []
        self.revoking: list[Lease] = []
        self.rows: dict[int, list[Record]] = {}
        self.fresh: dict[int, list[Record]] = {}
        """Polled and not committed, per partition number."""
        self.seen: list[Record] = []
        self._next: dict[tuple[Lease, str], int] = {}

    @classmethod
    async def join(cls, log: Log, interest: Interest) -> "Member":
        """A new member of the interest's group."""
        return cls(await log.subscribe(interest), interest)

    async def turn(self, *, limit: int = 100, timeout: float = 0.05) -> Polled:
        """One poll, with what has to follow from it. Raises AssertionError where the poll breaks its promise."""
        polled = await self.subscription.poll(limit=limit, timeout=timeout)
        expect(len(polled.records) <= limit, f"{len(polled.records)} records polled, {limit} asked for")
        for lease in polled.lost:
            self._drop(lease)
            self.lost.append(lease)
        for lease in polled.granted:
            self._take(lease)
        self.revoking += polled.revoking
        for record in polled.records:
            self._see(record)
        for lease in polled.granted:
            if self.interest.state is not None:
                self.rows[lease.partition] = await self.subscription.restore(lease)
        return polled

    def units(self, make: Make | None = None) -> list[Unit]:
        """One unit per lease that commits everything polled, with what `make` gives for it."""
        units = []
        for number, records in self.fresh.items():
            if number in self.held and records:
                outputs = [new for record in records for new in (make(record) if make else ())]
                units.append(Unit(self.held[number], outputs, {r.topic: r.offset + 1 for r in records}))
        self.fresh = {}
        return units

    async def commit(self, make: Make | None = None) -> Committed:
        """Commit everything polled."""
        return await self.subscription.commit(self.units(make))

    async def release(self, leases: Iterable[Lease]) -> None:
        """Give leases back; what was polled of them is forgotten."""
        for lease in list(leases):
            self._drop(lease)
            await self.subscription.release(lease)

    async def turn_and_release(self) -> None:
        """One poll, and then give back what is to be given back."""
        await self.turn()
        await self.release(self.revoking)

    async def work(self, make: Make | None = None) -> None:
        """One poll, a commit of what came, and then give back what is to be given back."""
        await self.turn()
        if self.fresh:
            await self.commit(make)
        await self.release(self.revoking)

    def _take(self, lease: Lease) -> None:
        here = (lease.group, lease.topic) == (self.interest.group, self.interest.topic)
        expect(here, f"{lease} granted to a member of {self.interest}")
        expect(lease.partition not in self.held, f"{lease} granted, {self.held.get(lease.partition)} held")
        earlier = [other.epoch for other in self.granted if other.partition == lease.partition]
        expect(lease.epoch > max(earlier, default=-1), f"{lease} granted, though epochs {earlier} were before")
        self.held[lease.partition] = lease
        self.granted.append(lease)

    def _drop(self, lease: Lease) -> None:
        if self.held.get(lease.partition) == lease:
            del self.held[lease.partition]
            self.fresh.pop(lease.partition, None)
        if lease in self.revoking:
            self.revoking.remove(lease)

    def _see(self, record: Record) -> None:
        lease = self.held.get(record.partition)
        expect(lease is not None, f"{record.place} polled without a lease")
        if lease is None:
            return
        expect(record.topic in (self.interest.topic, self.interest.inbox), f"{record.place} polled, never asked for")
        place = lease, record.topic
        wanted = self._next.get(place, record.offset)
        expect(record.offset >= wanted, f"{record.place} polled after offset {wanted - 1}")
        self._next[place] = record.offset + 1
        self.fresh.setdefault(record.partition, []).append(record)
        self.seen.append(record)


async def turns(*members: Member) -> None:
    """One poll of each member, at the same time; nothing is released."""
    await asyncio.gather(*(member.turn() for member in members))


async def together(
    rig: Rig, members: Sequence[Member], goal: Callable[[], object], what: str, make: Make | None = None
) -> None:
    """All members poll, commit where `make` is given, and release what they must, until the goal is reached."""

    async def step() -> None:
        await asyncio.gather(*(member.work(make) if make else member.turn_and_release() for member in members))

    await until(rig, step, goal, what)


async def until(rig: Rig, step: Callable[[], Awaitable[object]], goal: Callable[[], object], what: str) -> None:
    """Repeat a step until the goal is reached. Raises AssertionError when patience ends."""
    deadline = now() + patience(rig)
    while not goal():
        expect(now() < deadline, f"did not come in {patience(rig)} s: {what}")
        await step()
