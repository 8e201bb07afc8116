"""`Rig`: what the contract suite needs beside the port, given by each engine's tests; no engine is named here."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from farandole.log.ports import Log


class Rig(Protocol):
    """One fresh log, and the faults that an outsider can inflict on those who use it."""

    @property
    def url(self) -> str:
        """Where the log is, as a user would write it."""
        ...

    @property
    def lease_seconds(self) -> float:
        """After this long without a sign of life a member's leases are given to others."""
        ...

    @property
    def real_time(self) -> bool:
        """Whether the engine's clock is the machine's, so that what waiting costs can be measured."""
        ...

    @property
    def crash_points(self) -> Sequence[str]:
        """Names of the points inside append and commit at which a handle can be made to die."""
        ...

    def run(self, case: "Case") -> None:
        """Run one case on an event loop that fits the engine's clock; then close the handles that still live."""
        ...

    async def open(self) -> Log:
        """Another handle on the same log, as another process would have."""
        ...

    async def freeze(self, log: Log) -> None:
        """As SIGSTOP: whatever the handle does, in the background too, stands still."""
        ...

    async def thaw(self, log: Log) -> None:
        """As SIGCONT."""
        ...

    async def kill(self, log: Log) -> None:
        """As SIGKILL: nothing is released or finished. Harmless when it is dead already."""
        ...

    async def crash_at(self, log: Log, point: str) -> None:
        """The handle dies when it next passes `point`; its pending call raises or never returns."""
        ...

    def cpu_seconds(self, log: Log) -> float:
        """What the process of the handle has had of the processor so far, in all its threads."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let time pass, on the engine's clock."""
        ...


Case = Callable[[Rig], Awaitable[None]]
"""One thing that every engine must do; raises AssertionError where it does not."""
