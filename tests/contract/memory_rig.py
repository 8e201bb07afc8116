"""`MemoryRig`: a memory cluster for one contract case; on virtual time, or on a real loop."""

import asyncio
import time
from collections.abc import Iterable

from farandole.engines.memory.cluster import Cluster
from farandole.engines.memory.faults import Stage
from farandole.engines.memory.log import MemoryLog
from farandole.engines.memory.loop import SystemClock, VirtualClock, VirtualLoop
from farandole.log.ports import Log
from farandole.testing.contract.rig import Case


class MemoryRig:
    """Implements `Rig`. `seed=None` leaves nothing to chance; `mutants` are planted defects."""

    url = "memory:"
    crash_points = tuple(f"{call}:{stage}" for call in ("append", "commit") for stage in ("before", "inside", "after"))

    def __init__(
        self, *, seed: int | None = None, mutants: Iterable[str] = (), real_time: bool = False, lease: float = 6.0
    ) -> None:
        self.lease_seconds = lease
        self.real_time = real_time
        self._loop = asyncio.new_event_loop() if real_time else VirtualLoop()
        clock = SystemClock() if real_time else VirtualClock(self._loop)
        self._cluster = Cluster(seed=seed, lease=lease, clock=clock, mutants=mutants)
        self._cluster.faults = self._crashes = _Crashes(self._cluster)
        self._logs: list[MemoryLog] = []

    def run(self, case: Case) -> None:
        """Run one case, then close what still lives."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._run(case))

    async def open(self) -> MemoryLog:
        """Another handle."""
        self._logs.append(MemoryLog(self._cluster, name=f"handle-{len(self._logs)}"))
        return self._logs[-1]

    async def freeze(self, log: Log) -> None:
        """As SIGSTOP."""
        self._cluster.pause(_name(log))

    async def thaw(self, log: Log) -> None:
        """As SIGCONT."""
        self._cluster.resume(_name(log))

    async def kill(self, log: Log) -> None:
        """As SIGKILL."""
        self._cluster.kill(_name(log))

    async def crash_at(self, log: Log, point: str) -> None:
        """Kill the handle when it next passes `operation:stage`."""
        self._crashes.armed[_name(log)] = point

    def cpu_seconds(self, log: Log) -> float:
        """All handles are in this process."""
        return time.process_time()

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    async def _run(self, case: Case) -> None:
        try:
            await case(self)
        finally:
            for log in self._logs:
                if log.name in self._cluster.living():
                    self._cluster.resume(log.name)
                    await log.close()


class _Crashes:
    """Implements `Faults`: kills a handle at the point that was armed for it."""

    def __init__(self, cluster: Cluster) -> None:
        self.armed: dict[str, str] = {}
        self._cluster = cluster

    async def point(self, handle: str, operation: str, stage: Stage) -> None:
        if self.armed.get(handle) == f"{operation}:{stage}":
            self._cluster.kill(handle)


def _name(log: Log) -> str:
    assert isinstance(log, MemoryLog)
    return log.name
