"""`MemorySubscription`: one member of a group, with what it polls and where it stands."""

import asyncio
import contextlib
from collections.abc import Sequence

from farandole.engines.memory.cluster import Cluster
from farandole.engines.memory.handle import Handle
from farandole.engines.memory.partition import Partition
from farandole.engines.memory.streams import Stream, Streams
from farandole.events.errors import ConfigError, Fenced, LogError, LogUnavailable
from farandole.log.ports import Committed, Interest, Lease, Polled, Unit
from farandole.log.record import Record


class MemorySubscription:
    """Implements `Subscription`. What it reads is its own; what it holds stands in the cluster's group.

    It takes part from its first poll on: one whose maker never heard of it keeps nobody waiting.
    """

    def __init__(self, cluster: Cluster, handle: Handle, interest: Interest) -> None:
        self._cluster, self._handle, self._interest = cluster, handle, interest
        self._group = cluster.group(interest.group, interest.topic)
        self._member = cluster.member(handle)
        self._leases: dict[int, Lease] = {}
        self._streams = Streams(cluster.chance)
        self._turn = asyncio.Lock()
        self._failures = 0
        self.closed = False

    async def poll(self, *, limit: int, timeout: float) -> Polled:
        """As the port says. Nothing is taken before the last stage, so neither fault nor cancel loses any."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        await self._handle.reach("poll", "before")
        while True:
            await self._handle.reach("poll", "inside")
            await self._handle.reach("poll", "after")
            self._check_open()
            found = self._take(limit)
            left = deadline - loop.time()
            if any(found) or left <= 0:
                return found
            await self._handle.wait((*self._streams.awaited(), self._group, self), left)

    async def restore(self, lease: Lease) -> list[Record]:
        """As the port says. Raises Fenced where the lease is gone."""
        self._check_open()
        rows = await self._handle.read("restore", lambda: self._rows(lease))
        for stream in self._streams.of(lease):
            stream.ready = True
        self._cluster.bells.ring((self,))
        return rows

    async def commit(self, units: Sequence[Unit]) -> Committed:
        """As the port says. When one fails, those that were called meanwhile fail too: none overtakes it."""
        self._check_open()
        leaking = "uncommitted-leak" in self._cluster.mutants
        taken = units if leaking else [Unit(u.lease, tuple(u.outputs), dict(u.positions)) for u in units]
        self._check(taken)
        failures = self._failures
        async with contextlib.nullcontext() if "overtaking" in self._cluster.mutants else self._turn:
            self._handle.check()
            if self._failures != failures:
                raise LogUnavailable("a commit before this one failed, so nothing of this one was written")
            try:
                if "position-without-outputs" in self._cluster.mutants:
                    self._move([unit for unit in taken if self._in_force(unit)])
                return await self._handle.write("commit", lambda: self._apply(taken))
            except BaseException:
                self._failures += 1
                raise

    def pause(self, lease: Lease, topic: str) -> None:
        """As the port says; harmless when the lease is gone."""
        for stream in self._streams.of(lease, topic):
            stream.paused = True

    def resume(self, lease: Lease, topic: str) -> None:
        """As the port says; harmless when the lease is gone."""
        for stream in self._streams.of(lease, topic):
            stream.paused = False
            if "pause-skips" in self._cluster.mutants:
                stream.position = stream.partition.end
        self._cluster.bells.ring((self,))

    async def release(self, lease: Lease) -> None:
        """As the port says. Nothing of the lease is polled from the call on, unless it fails."""
        self._check_open()
        streams = self._streams.drop(lease)
        try:
            await self._handle.write("release", lambda: self._free(lease))
        except BaseException:
            if self._group.in_force(self._member, lease):
                self._streams.add(*streams)
            raise

    async def close(self) -> None:
        """As the port says. Where it fails, the leases run out by themselves."""
        if self.closed:
            return
        self.closed = True
        self._cluster.bells.ring((self,))
        try:
            await self._handle.write("close", self.leave)
        except BaseException:
            self._cluster.forsake(self._group, self._member)
            raise

    def leave(self) -> None:
        """End without a call on the log, as part of its handle's end."""
        self.closed = True
        if "clinging" in self._cluster.mutants:
            self._cluster.forsake(self._group, self._member)
        else:
            self._cluster.leave(self._group, self._member)
        self._cluster.bells.ring((self,))

    # ---------------------------------------------------------------------------------------- polling

    def _take(self, limit: int) -> Polled:
        chance, mutants = self._cluster.chance, self._cluster.mutants
        lost = [lease for lease in self._leases.values() if not self._group.in_force(self._member, lease)]
        for lease in lost:
            self._forget(lease)
        if self._group.join(self._member):  # its first poll, or it had run out of its lease
            self._cluster.bells.ring((self._group,))
        revoking = [] if "greedy" in mutants else self._group.revoke(self._member, chance)
        granted = self._group.grant(self._member, chance, same_epoch="epoch-reused" in mutants)
        for lease in granted:
            self._begin(lease)
        records = self._streams.take(chance.batch(limit))
        if "reorder" in mutants and len(records) > 1:
            records[0], records[1] = records[1], records[0]
        return Polled(granted, revoking, lost, records)

    def _begin(self, lease: Lease) -> None:
        self._leases[lease.partition] = lease
        for topic in filter(None, (self._interest.topic, self._interest.inbox)):
            partition = self._cluster.topics.at(topic, lease.partition)
            position = self._position(topic, lease.partition, partition)
            ready = self._interest.state is None or "unrestored-polled" in self._cluster.mutants
            self._streams.add(Stream(lease, topic, partition, position, ready))

    def _position(self, topic: str, number: int, partition: Partition) -> int:
        """The committed position; without one the start, which is durable from then on when it is now.

        An inbox has no now: what was sent to the step before it came is meant for it.
        """
        if "released-redelivers" in self._cluster.mutants:
            return 0
        committed = self._cluster.positions.get(self._group.name, {}).get((topic, number))
        if committed is not None:
            return committed
        if self._interest.start == "beginning" or topic == self._interest.inbox:
            return partition.start
        if "now-forgotten" not in self._cluster.mutants:
            self._cluster.move(self._group.name, topic, number, partition.end)
        return partition.end

    # ------------------------------------------------------------------------------------- committing

    def _check(self, units: Sequence[Unit]) -> None:
        """Raise RecordRefused for a record, ConfigError for a position that is not of the lease."""
        topics = (self._interest.topic, self._interest.inbox)
        for unit in units:
            if strange := [topic for topic in unit.positions if topic not in topics]:
                raise ConfigError(f"group {self._group.name!r} has no position in {strange}; it leases {topics}")
        self._cluster.check([new for unit in units for new in unit.outputs], self._handle)

    def _apply(self, units: Sequence[Unit]) -> Committed:
        mutants = self._cluster.mutants
        fenced = [unit for unit in units if not self._in_force(unit)]
        standing = units if "lost-lease-committed" in mutants else [unit for unit in units if self._in_force(unit)]
        self._cluster.write((new for unit in standing for new in unit.outputs), self._handle)
        self._move(standing)
        return Committed(fenced)

    def _in_force(self, unit: Unit) -> bool:
        return "no-fencing" in self._cluster.mutants or self._group.in_force(self._member, unit.lease)

    def _move(self, units: Sequence[Unit]) -> None:
        for unit in units:
            for topic, position in unit.positions.items():
                self._cluster.move(self._group.name, topic, unit.lease.partition, position)

    # ---------------------------------------------------------------------------------------- leases

    def _rows(self, lease: Lease) -> list[Record]:
        if not self._group.in_force(self._member, lease):
            raise Fenced(f"{lease.group} no longer holds partition {lease.partition} in epoch {lease.epoch}; drop it")
        if self._interest.state is None:
            return []
        state = self._cluster.topics.at(self._interest.state, lease.partition)
        latest, _ = state.read(0, state.end)
        rows = [row for row in latest if row.value is not None or "tombstone-restored" in self._cluster.mutants]
        return rows[:-1] if "state-restored-short" in self._cluster.mutants else rows

    def _free(self, lease: Lease) -> None:
        self._forget(lease)
        if self._group.free(self._member, lease):
            self._cluster.bells.ring((self._group,))

    def _forget(self, lease: Lease) -> None:
        self._streams.drop(lease)
        if self._leases.get(lease.partition) == lease:
            del self._leases[lease.partition]

    def _check_open(self) -> None:
        self._handle.check()
        if self.closed:
            raise LogError(f"this member of {self._group.name!r} is closed; subscribe again")
