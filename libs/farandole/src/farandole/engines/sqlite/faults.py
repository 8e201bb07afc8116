"""Crash points, for tests: a process can be told to kill or stop itself where it would hurt most."""

import signal
from collections.abc import Callable, Mapping

from farandole.events.errors import ConfigError

VARIABLE = "FARANDOLE_FAULT"
"""`point:n` kills the process at its n-th pass of the point; `point:n:STOP` stops it there."""
POINTS = ("before-begin", "after-begin", "after-frames", "before-commit", "after-commit")
"""Passed once in each transaction that commits or appends records, in this order."""
_SIGNALS = {"KILL": signal.SIGKILL, "STOP": signal.SIGSTOP}

Passed = Callable[[str], None]


def passed_nothing(point: str) -> None:
    """No fault."""


def faults_of(environment: Mapping[str, str]) -> Passed:
    """To be called at every point. Raises ConfigError where the variable names none."""
    text = environment.get(VARIABLE)
    if not text:
        return passed_nothing
    point, _, rest = text.partition(":")
    passes, _, name = rest.partition(":")
    if point not in POINTS or not passes.isdecimal() or (name or "KILL") not in _SIGNALS:
        raise ConfigError(f"{VARIABLE}={text!r}: give point:n or point:n:STOP; points: {', '.join(POINTS)}")
    return _Fault(point, int(passes), _SIGNALS[name or "KILL"])


class _Fault:
    def __init__(self, point: str, passes: int, number: signal.Signals) -> None:
        self._point, self._left, self._signal = point, passes, number

    def __call__(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                signal.raise_signal(self._signal)  # in this thread, so that it does not get any further
