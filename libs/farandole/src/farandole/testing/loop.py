"""The loop of a rehearsal: virtual time, tasks that know their process, and the end of all that can move."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar
from typing import Any, Protocol, TypeVarTuple, Unpack

from farandole.engines.memory.loop import Deadlock, VirtualLoop

Ts = TypeVarTuple("Ts")

NEVER = 1e12
"""Seconds; a timer that far away is none: whoever waits so long waits for somebody else."""


class Mortal(Protocol):
    """A process that can die."""

    killed: bool

    def keep(self, task: asyncio.Task[Any]) -> None:
        """A task of it began."""
        ...


process_here: ContextVar[Mortal | None] = ContextVar("rehearsed process", default=None)
"""The process that what runs belongs to."""


class StageLoop(VirtualLoop):
    """Runs until nothing is ready and no timer is pending: then only somebody else could move anything.

    A process that was killed begins no task and sets no timer any more.
    """

    def __init__(self) -> None:
        self._until, self._timers = NEVER, NEVER
        super().__init__()
        self.set_task_factory(_make_task)

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As any loop's; but a timer at NEVER is not kept, and beyond the bounds of `run_until_still` all stops."""
        process = process_here.get()
        if when >= NEVER or (process is not None and process.killed):
            return asyncio.TimerHandle(when, callback, args, self, context)
        self._timers -= 1
        if self._timers < 0 or self.time() > self._until:
            self.stop()
        return super().call_at(when, callback, *args, context=context)

    def run_until_still(self, *, seconds: float, timers: float) -> bool:
        """Whether nothing can move any more; False after `seconds` of virtual time or `timers` timers."""
        self._until, self._timers = self.time() + seconds, timers
        try:
            self.run_forever()
        except Deadlock:
            return True
        finally:
            self._until, self._timers = NEVER, NEVER
        return False


def _make_task(
    loop: asyncio.AbstractEventLoop,
    coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    context: Context | None = None,
) -> asyncio.Task[Any]:
    task = asyncio.Task(coro, loop=loop, context=context)
    process = process_here.get() if context is None else context.get(process_here)
    if process is not None:
        process.keep(task)
    return task
