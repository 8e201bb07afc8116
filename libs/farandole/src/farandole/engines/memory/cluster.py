"""`Cluster`: the state that all handles share, and what can befall them; nothing in it waits."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import count

from farandole.engines.memory.bells import Bells
from farandole.engines.memory.chance import Chance
from farandole.engines.memory.faults import Faults
from farandole.engines.memory.groups import Group, Member
from farandole.engines.memory.handle import Handle, World
from farandole.engines.memory.loop import SystemClock
from farandole.engines.memory.mutants import known
from farandole.engines.memory.topics import Topics
from farandole.events.errors import ConfigError, RecordRefused
from farandole.log.identities import Identities
from farandole.log.ports import Clock, Lease
from farandole.log.record import NewRecord, Place, TopicPartition, TopicSpec

LEASE = 6.0
"""Seconds without a sign of life after which a member's leases are given to others."""
TOPICS = "topics"
"""The bell that rings when a topic was created."""


class Cluster:
    """One log with any number of handles, all on one event loop.

    `seed` decides everything that is free: sizes of batches, latencies, the order of wake-ups, and whether a
    write that was under way at a kill happened; None: nothing is left to chance. `lease` in seconds. `faults`
    may be set at any time. `mutants` are planted defects, for tests of tests.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        lease: float = LEASE,
        clock: Clock | None = None,
        mutants: Iterable[str] = (),
    ) -> None:
        self.lease = lease
        self.clock: Clock = clock or SystemClock()
        self.mutants = known(mutants)
        self.chance = Chance(seed)
        self.bells = Bells(self.chance)
        self.topics = Topics()
        self.identities = Identities()
        self.groups: dict[tuple[str, str], Group] = {}
        self.positions: dict[str, dict[TopicPartition, int]] = {}
        self._world = World(self.chance, self.bells)
        self._handles: dict[str, Handle] = {}
        self._silences: dict[Handle, asyncio.TimerHandle] = {}
        self._members = 0

    @property
    def faults(self) -> Faults | None:
        """What befalls operations; None: nothing does."""
        return self._world.faults

    @faults.setter
    def faults(self, faults: Faults | None) -> None:
        self._world.faults = faults

    # ------------------------------------------------------------------------------------------ handles

    def attach(self, name: str | None) -> Handle:
        """A new process; None: any name. Raises ConfigError where a living one has this name."""
        if name is None:
            name = next(free for n in count(1) if (free := f"handle-{n}") not in self._handles)
        if name in self.living():
            raise ConfigError(f"the log has a handle {name!r} already; give this one another name")
        self._handles[name] = Handle(name, self._world)
        return self._handles[name]

    def living(self) -> list[str]:
        """The names of the handles that are neither killed nor closed, paused ones included."""
        return [name for name, handle in self._handles.items() if not (handle.killed or handle.closed)]

    def kill(self, name: str) -> None:
        """As SIGKILL: its calls raise HandleKilled, its leases run out."""
        handle = self._handle(name)
        if not handle.killed:
            handle.kill()
            self.silence(handle)

    def pause(self, name: str) -> None:
        """As SIGSTOP: no call of it goes on, its leases run out."""
        handle = self._handle(name)
        if not (handle.killed or handle.paused):
            handle.paused = True
            handle.wake()
            self.silence(handle)

    def resume(self, name: str) -> None:
        """As SIGCONT: it goes on where it stood, with the leases that have not run out."""
        handle = self._handle(name)
        if handle.paused and not handle.killed:
            handle.paused = False
            if timer := self._silences.pop(handle, None):
                timer.cancel()
            handle.wake()

    def expire(self, name: str) -> None:
        """Its leases run out now, though it lives; whoever gets them next polls again what is uncommitted."""
        self._evict(self._handle(name))

    def silence(self, handle: Handle) -> None:
        """From now on the process gives no sign of life; the last was up to a third of a lease ago."""
        if handle not in self._silences and "immortal" not in self.mutants:
            due = self.lease - self.chance.between(0.0, self.lease / 3)
            self._silences[handle] = asyncio.get_running_loop().call_later(due, self._run_out, handle)

    # ------------------------------------------------------------------------------------------- groups

    def group(self, name: str, topic: str) -> Group:
        """The group of this name on this topic."""
        found = self.groups.get((name, topic))
        if found is None:
            found = self.groups[name, topic] = Group(name, topic, self.topics.spec(topic).partitions)
        return found

    def member(self, handle: Handle) -> Member:
        """A new member, for one subscription."""
        self._members += 1
        return Member(handle, self._members)

    def forsake(self, group: Group, member: Member) -> None:
        """Let a member run out of its lease although its process lives: it went, and could not say so."""
        asyncio.get_running_loop().call_later(self.lease, self.leave, group, member)

    def leave(self, group: Group, member: Member) -> None:
        """Take a member and its leases out of its group, and let the others know."""
        if group.leave(member):
            self.bells.ring((group,))

    def leases(self) -> dict[str, list[tuple[Lease, str]]]:
        """Per group the leases in force, each with the name of the handle that holds it."""
        found: dict[str, list[tuple[Lease, str]]] = {}
        for group in self.groups.values():
            held = [(group.holds[number].lease, group.holds[number].member.handle.name) for number in group.holds]
            if held:
                found.setdefault(group.name, []).extend(sorted(held))
        return found

    def move(self, group: str, topic: str, partition: int, position: int) -> None:
        """Set a committed position."""
        self.positions.setdefault(group, {})[topic, partition] = position

    # ------------------------------------------------------------------------------------------ records

    def ensure(self, wanted: Sequence[TopicSpec]) -> None:
        """Create the topics that do not exist. Raises ConfigError."""
        if self.topics.ensure(wanted):
            self.bells.ring((TOPICS,))

    def check(self, records: Sequence[NewRecord], handle: Handle) -> None:
        """Raise RecordRefused where one of the records cannot be written."""
        try:
            self.topics.check(records)
        except RecordRefused:
            if "refused-half-written" in self.mutants:
                self.write(records[: len(records) // 2], handle)
            raise

    def write(self, records: Iterable[NewRecord], handle: Handle) -> list[Place]:
        """Write records that were checked, and wake who waits for them."""
        places = list(self.topics.write(records, handle, self.clock.now()))
        if "deaf" not in self.mutants:
            self.bells.ring({(place.topic, place.partition): None for place in places})
        return places

    def append(self, records: Sequence[NewRecord], identities: Sequence[bytes | None], handle: Handle) -> list[Place]:
        """Write those records whose identity is new, or none: raises RecordRefused, IdConflict."""
        self.check(records, handle)
        firsts = self.identities.firsts([new.value for new in records], identities)
        written = iter(self.write((new for new, first in zip(records, firsts, strict=True) if first is None), handle))
        places: list[Place] = []
        for new, identity, first in zip(records, identities, firsts, strict=True):
            if first is not None:
                places.append(places[first] if isinstance(first, int) else first)
                continue
            places.append(next(written))
            if identity is not None and "duplicate-append" not in self.mutants:
                self.identities.remember(identity, new.value, places[-1], self.clock.now())
        return places

    def _handle(self, name: str) -> Handle:
        if name not in self._handles:
            raise ConfigError(f"the log has no handle {name!r}; there are {', '.join(self._handles) or 'none'}")
        return self._handles[name]

    def _run_out(self, handle: Handle) -> None:
        del self._silences[handle]
        self._evict(handle)

    def _evict(self, handle: Handle) -> None:
        for member, group in list(self._members_of(handle)):
            self.leave(group, member)

    def _members_of(self, handle: Handle) -> Iterator[tuple[Member, Group]]:
        for group in self.groups.values():
            for member in group.members:
                if member.handle is handle:
                    yield member, group
