"""What a window counts: attempts, failures, and durations in buckets, so that tallies of partitions can be added.

Durations are kept to within 1 % of their value in buckets of geometric width (the scheme of DDSketch: Masson, Rim and
Lee, VLDB 2019), for a window may hold millions and its tally is written to a topic with every change.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil, log
from typing import Any, NamedTuple

ACCURACY = 0.01  # of a quantile, relative
_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_WIDTH = log(_GAMMA)
_SHORTEST = 1e-6  # seconds; what is shorter counts as this


class Attempt(NamedTuple):
    """One attempt of a step that has ended; `seconds` is None where it never began (an undecodable event)."""

    step: str  # service/step
    failed: bool
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of one step in one window. `durations`: how many by bucket."""

    count: int = 0
    failures: int = 0
    durations: Mapping[int, int] = field(default_factory=dict)

    def add(self, attempts: Iterable[Attempt]) -> "Tally":
        """This one, and the attempts."""
        count, failures, durations = self.count, self.failures, dict(self.durations)
        for attempt in attempts:
            count += 1
            failures += attempt.failed
            if attempt.seconds is not None:
                bucket = _bucket(attempt.seconds)
                durations[bucket] = durations.get(bucket, 0) + 1
        return Tally(count, failures, durations)

    def merge(self, other: "Tally") -> "Tally":
        """Both together."""
        durations = dict(self.durations)
        for bucket, count in other.durations.items():
            durations[bucket] = durations.get(bucket, 0) + count
        return Tally(self.count + other.count, self.failures + other.failures, durations)

    @property
    def share(self) -> float:
        """Failures per attempt, 0 to 1."""
        return self.failures / self.count if self.count else 0.0

    def quantile(self, share: float) -> float | None:
        """The duration in seconds that `share` (0 to 1) of all do not exceed, by nearest rank, within 1 %."""
        total = sum(self.durations.values())
        rank = max(1, ceil(share * total))
        for bucket in sorted(self.durations):
            rank -= self.durations[bucket]
            if rank <= 0:
                return _middle(bucket)
        return None

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, buckets in order."""
        durations = {str(bucket): self.durations[bucket] for bucket in sorted(self.durations)}
        return {"count": self.count, "failures": self.failures, "durations": durations}


def read_tally(value: Mapping[str, Any]) -> Tally:
    """What `to_json` wrote; of an empty object the empty tally."""
    durations = {int(bucket): int(count) for bucket, count in value.get("durations", {}).items()}
    return Tally(int(value.get("count", 0)), int(value.get("failures", 0)), durations)


def _bucket(seconds: float) -> int:
    return ceil(log(max(seconds, _SHORTEST)) / _WIDTH)


def _middle(bucket: int) -> float:
    return float(round(2 * _GAMMA**bucket / (_GAMMA + 1), 9))
