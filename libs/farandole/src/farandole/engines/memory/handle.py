"""A handle as the cluster sees it: a process that works, stands still or is dead; all calls pass here."""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from farandole.engines.memory.bells import Bells
from farandole.engines.memory.chance import Chance
from farandole.engines.memory.faults import Faults, HandleKilled, Stage
from farandole.events.errors import FarandoleError, LogError

T = TypeVar("T")

_APPLIED = 0.5  # the share of writes under way at a kill that reach the log


@dataclass(slots=True)
class World:
    """What all handles of a cluster share: chance, the bells, and the faults in force."""

    chance: Chance
    bells: Bells
    faults: Faults | None = None
    home: asyncio.AbstractEventLoop | None = None

    def check_home(self) -> None:
        """Raise LogError on a second event loop: whoever waits on the first would never be woken."""
        loop = asyncio.get_running_loop()
        if self.home is None or self.home.is_closed():
            self.home = loop
        if self.home is not loop:
            raise LogError("this log belongs to another event loop; open one of its own")


class Handle:
    """One process. Killed: pending and later calls raise HandleKilled. Paused: none goes on until resumed."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.killed = self.paused = self.closed = False
        self.written = 0  # records without key or partition, which are spread over the partitions
        self._world = world
        self._death: asyncio.Future[None] | None = None

    async def read(self, operation: str, look: Callable[[], T]) -> T:
        """Pass the stages of an operation that changes nothing; `look` itself does not wait."""
        await self.reach(operation, "before")
        await self.reach(operation, "inside")
        found = look()
        await self.reach(operation, "after")
        return found

    async def write(self, operation: str, apply: Callable[[], T]) -> T:
        """Pass the stages of a write; `apply` itself does not wait. Killed inside: chance decides on it."""
        await self.reach(operation, "before")
        try:
            await self.reach(operation, "inside")
        except HandleKilled:
            if self._world.chance.happens(_APPLIED):
                with suppress(FarandoleError):  # a dead process hears of no refusal
                    apply()
            raise
        done = apply()
        await self.reach(operation, "after")
        return done

    async def reach(self, operation: str, stage: Stage) -> None:
        """One stage of an operation: latency, faults, standing still. Raises theirs, or HandleKilled."""
        self.check()
        world = self._world
        world.check_home()
        if stage == "inside" and (latency := world.chance.latency()):
            await self.wait((), latency)
        if world.faults is not None:
            await self._suffer(world.faults, operation, stage)
        while self.paused:
            await self.wait((), None)
        self.check()

    async def wait(self, keys: Sequence[Hashable], timeout: float | None) -> None:
        """Wait until one of the keys rings, `timeout` seconds passed, or something happens to the process."""
        await self._world.bells.wait((*keys, self), timeout)
        self.check()

    def check(self) -> None:
        """Raise HandleKilled, or LogError when the handle is closed."""
        if self.killed:
            raise HandleKilled(self.name)
        if self.closed:
            raise LogError(f"the log's handle {self.name!r} is closed; open another")

    def kill(self) -> None:
        """Die: what is pending raises now."""
        self.killed = True
        if self._death is not None and not self._death.done():
            self._death.set_result(None)
        self.wake()

    def wake(self) -> None:
        """Let whatever waits look again at the state of the process."""
        self._world.bells.ring((self,))

    async def _suffer(self, faults: Faults, operation: str, stage: Stage) -> None:
        if self._death is None:
            self._death = asyncio.get_running_loop().create_future()
        point = asyncio.ensure_future(faults.point(self.name, operation, stage))
        try:
            await asyncio.wait((point, self._death), return_when=asyncio.FIRST_COMPLETED)
            self.check()
            point.result()
        finally:
            point.add_done_callback(_heard)
            point.cancel()


def _heard(point: asyncio.Future[None]) -> None:
    """What a fault still raises once its handle is dead concerns nobody."""
    if not point.cancelled():
        point.exception()
