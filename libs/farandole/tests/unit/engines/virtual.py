"""Memory logs on virtual time, for tests."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from farandole.engines.memory.cluster import Cluster
from farandole.engines.memory.faults import Stage
from farandole.engines.memory.loop import VirtualClock, VirtualLoop

T = TypeVar("T")


def on_virtual_time(test: Callable[[Cluster], Awaitable[T]], *, seed: int | None = None, lease: float = 6.0) -> T:
    """Run a test with a fresh cluster on a fresh virtual loop; what it returns."""
    loop = VirtualLoop()
    cluster = Cluster(seed=seed, lease=lease, clock=VirtualClock(loop))

    async def run() -> T:
        return await test(cluster)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(run())


class At:
    """Implements `Faults`: one thing that happens at one stage of one handle's operation, and once only."""

    def __init__(self, handle: str, operation: str, stage: Stage, event: Callable[[], object]) -> None:
        self.happened = False
        self._where, self._event = (handle, operation, stage), event

    async def point(self, handle: str, operation: str, stage: Stage) -> None:
        """The event, which may return something to wait for."""
        if (handle, operation, stage) == self._where and not self.happened:
            self.happened = True
            waiting = self._event()
            if isinstance(waiting, Awaitable):
                await waiting
