"""A discrete-event simulation's floor: virtual time, and processors that many share. No randomness, no real clock."""

import heapq
from collections import deque
from collections.abc import Callable

Call = Callable[[], None]
SLICE = 0.003
"""Seconds that one piece of work has a core before the next one has its turn, about as Linux does it."""


class Clock:
    """Calls what is due, in order of time; of the same moment, in the order in which it was asked for."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Call]] = []
        self._asked = 0

    def at(self, moment: float, call: Call) -> None:
        """Call it then. Raises ValueError for what is over."""
        if moment < self.now:
            raise ValueError(f"{moment} is over: it is {self.now}")
        heapq.heappush(self._due, (moment, self._asked, call))
        self._asked += 1

    def after(self, seconds: float, call: Call) -> None:
        """Call it so many seconds from now."""
        self.at(self.now + seconds, call)

    def run(self, until: float) -> None:
        """Call all that is due by then; it is then afterwards."""
        while self._due and self._due[0][0] <= until:
            self.now, _, call = heapq.heappop(self._due)
            call()
        self.now = until


class Cores:
    """Cores that take turns at the work that is there, a `slice` of seconds each. `busy`: seconds worked, by all."""

    def __init__(self, clock: Clock, count: int, *, slice: float = SLICE) -> None:
        if count < 1:
            raise ValueError(f"{count} cores")
        self.busy = 0.0
        self.count = count
        self._clock, self._idle, self._slice = clock, count, slice
        self._waiting: deque[tuple[float, Call]] = deque()

    def work(self, seconds: float, done: Call) -> None:
        """Call `done` when so many seconds of one core went into it."""
        if self._idle:
            self._idle -= 1
            self._turn(seconds, done)
        else:
            self._waiting.append((seconds, done))

    def _turn(self, seconds: float, done: Call) -> None:
        lasting = min(seconds, self._slice)
        self._clock.after(lasting, lambda: self._over(lasting, seconds - lasting, done))

    def _over(self, lasting: float, left: float, done: Call) -> None:
        self.busy += lasting
        if left > 0:
            self._waiting.append((left, done))
        self._idle += 1
        if self._waiting:
            self._idle -= 1
            self._turn(*self._waiting.popleft())
        if left <= 0:
            done()
