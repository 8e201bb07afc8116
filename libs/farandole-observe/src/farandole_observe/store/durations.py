"""Durations in buckets of equal ratio: counts that can be added up in any order, and read as percentiles.

As in DDSketch (Masson, Rim and Lee, VLDB 2019): a value lies within `ERROR` of what stands for its bucket.
"""

import math
from collections.abc import Mapping

ERROR = 0.02
_GAMMA = (1 + ERROR) / (1 - ERROR)
_LOG = math.log(_GAMMA)
SHORTEST = 1e-6
"""Seconds; what is shorter counts as this."""


def bucket(seconds: float) -> int:
    """The number of the bucket of a duration."""
    return math.ceil(math.log(max(seconds, SHORTEST)) / _LOG)


def stands_for(number: int) -> float:
    """Seconds within `ERROR` of every duration of the bucket."""
    return float(2 * _GAMMA**number / (1 + _GAMMA))


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """The duration (seconds) that `share` of them (0 to 1) do not exceed; None where there are none."""
    wanted = max(1, math.ceil(share * sum(counts.values())))
    seen = 0
    for number in sorted(counts):
        seen += counts[number]
        if seen >= wanted:
            return stands_for(number)
    return None
