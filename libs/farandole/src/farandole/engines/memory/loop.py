"""An event loop whose time is virtual, and the clocks that fit the loops; no I/O, no threads."""

import asyncio
import math
import selectors
import time
from collections.abc import Callable, Mapping
from contextvars import Context
from types import CoroutineType
from typing import Any, NoReturn, TypeVarTuple

from farandole.events.errors import FarandoleError

EPOCH = 1_767_225_600.0
"""Where virtual time starts: 2026-01-01T00:00:00Z, in seconds since 1970."""


_STEP = 1e-6
Ts = TypeVarTuple("Ts")


class Deadlock(FarandoleError):
    """Nothing is ready and no timer is pending: a real loop would wait for ever. Names who waits where."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose `time()` starts at 0.0 and jumps to the next timer as soon as nothing else is ready.

    Ready callbacks run in the order that asyncio guarantees. Raises Deadlock out of `run_until_complete`.
    """

    def __init__(self) -> None:
        self._jumps = _Jumps(self._stuck)
        super().__init__(self._jumps)

    def time(self) -> float:
        """Seconds of virtual time since the loop was made."""
        return self._jumps.now

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As any loop's, but what is not due yet is due in a microsecond at the earliest.

        asyncio fires a timer up to 1e-9 s early while anything else is ready. On a clock that stands still
        meanwhile, whoever then waits for the rest of his time would do so for ever.
        """
        now = self.time()
        when = max(when, now + _STEP) if when > now else math.nextafter(now, -math.inf)
        return super().call_at(when, callback, *args, context=context)

    def run_in_executor(self, executor: object, func: object, *args: object) -> NoReturn:
        """Refused: while a thread works, virtual time would run ahead of it."""
        raise FarandoleError(f"{func} asks for a thread; on virtual time call it inline")

    def _stuck(self) -> NoReturn:
        waiting = sorted(f"{task.get_name()} at {_place(task)}" for task in asyncio.all_tasks(self))
        raise Deadlock(f"at {self.time():.3f} s nothing can happen any more; waiting: {'; '.join(waiting) or 'none'}")


class VirtualClock:
    """Wall time on a virtual loop: EPOCH plus the loop's time."""

    __slots__ = ("_loop",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        return EPOCH + self._loop.time()


class SystemClock:
    """The machine's wall time, for ordinary loops."""

    __slots__ = ()

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        return time.time()


class _Jumps(selectors.BaseSelector):
    """A selector that never waits: instead of sleeping it moves the time. Files are noted, never watched."""

    def __init__(self, stuck: Callable[[], NoReturn]) -> None:
        self.now = 0.0
        self._stuck = stuck
        # What wakes a loop from other threads also stands in its ready queue, so no file need be looked at.
        self._noted = selectors.SelectSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            self._stuck()
        if timeout > 0:  # and a little beyond: after some months 1e-9 s are less than a float can tell
            self.now = math.nextafter(self.now + timeout, math.inf)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._noted.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._noted.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._noted.get_map()

    def close(self) -> None:
        self._noted.close()


def _place(task: asyncio.Task[Any]) -> str:
    """File and line where a task waits: those of the innermost coroutine."""
    inner: object = task.get_coro()
    place = "?"
    while isinstance(inner, CoroutineType):
        if inner.cr_frame is not None:
            place = f"{inner.cr_code.co_filename}:{inner.cr_frame.f_lineno}"
        inner = inner.cr_await
    return place
