"""How a flow of five trivial steps is timed: some one after another, then all at once; prints one JSON object."""

import json
import sys
import time
from collections.abc import Callable

STEPS = 5


def measure(one: Callable[[int], object], many: Callable[[int], object], *, count: int) -> None:
    """Print milliseconds a step: `one` runs a flow and returns when it has ended, `many` so many at once."""
    one(0)  # imports and caches
    begun = time.perf_counter()
    for number in range(count):
        one(number)
    alone = time.perf_counter() - begun
    begun = time.perf_counter()
    many(count)
    together = time.perf_counter() - begun
    report = {"alone": 1000 * alone / count / STEPS, "together": 1000 * together / count / STEPS, "flows": count}
    sys.stdout.write(f"\n{json.dumps(report)}\n")


def step(value: int) -> int:
    """A step that does nothing worth the name."""
    return value + 1
