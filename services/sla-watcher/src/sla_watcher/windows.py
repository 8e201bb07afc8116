"""Tumbling windows over the journal's time, and when those of one journal partition are over.

A record's time is when the broker took it, so within a partition it does not fall. What bears an earlier time than a
window that is already told of (clocks of two brokers that differ by more than the slack) counts in the next one.
"""

from math import floor


def start_of(time: float, size: int) -> int:
    """Beginning of the window that holds a time, seconds since the epoch."""
    return floor(time / size) * size


class Clock:
    """How far one journal partition has come. Everything before `told` stands in tallies that were handed on."""

    __slots__ = ("_size", "told")

    def __init__(self, size: int) -> None:
        self._size = size
        self.told = 0

    def clamp(self, time: float) -> float:
        """The time that counts for a record that bears `time`."""
        return max(time, float(self.told))

    def due(self, time: float) -> int | None:
        """The bound up to which windows are over at `time`, where that is news."""
        bound = start_of(time, self._size)
        return bound if bound > self.told else None
