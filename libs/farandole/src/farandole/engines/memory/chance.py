"""The one source of everything that the engine is free to choose; without a seed it never chooses."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_LATE = 0.3  # the share of operations that take any time at all
_MEAN_LATENCY = 0.004  # seconds
_SMALL = 0.5  # the share of polls that give only a few of the records that are there


class Chance:
    """Choices drawn from one seed. With `seed=None`: no latency, full batches, first come, first served."""

    __slots__ = ("_draw", "seed")

    def __init__(self, seed: int | None) -> None:
        self.seed = seed
        self._draw = None if seed is None else random.Random(seed)

    def batch(self, limit: int) -> int:
        """How many records a poll gives at most, 1 ≤ n ≤ max(1, limit)."""
        if self._draw is None or limit <= 1:
            return limit
        return self._draw.randint(1, min(limit, 4) if self._draw.random() < _SMALL else limit)

    def order(self, items: Sequence[T]) -> Sequence[T]:
        """In which order those who wait are woken, or sources are read."""
        return items if self._draw is None or len(items) < 2 else self._draw.sample(items, len(items))

    def pick(self, items: Sequence[T], count: int) -> Sequence[T]:
        """Which `count` of them; without a seed the last ones."""
        return items[len(items) - count :] if self._draw is None else self._draw.sample(items, count)

    def latency(self) -> float:
        """Seconds that an operation is under way."""
        if self._draw is None or self._draw.random() >= _LATE:
            return 0.0
        return self._draw.expovariate(1 / _MEAN_LATENCY)

    def happens(self, share: float) -> bool:
        """Whether something happens that happens in `share` of all cases; without a seed it never does."""
        return self._draw is not None and self._draw.random() < share

    def between(self, low: float, high: float) -> float:
        """A number of an interval; without a seed its lower end."""
        return low if self._draw is None else self._draw.uniform(low, high)
