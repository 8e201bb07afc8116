"""What is counted of a step while it works: plain numbers, added up by commit, and turned into metrics when asked."""

from bisect import bisect_left
from collections.abc import Sequence
from time import time

from farandole.events.facts import REASONS
from farandole.events.ids import is_sampled, trace_id
from farandole.log.hooks import Commit, Settled

ENDINGS = ("completed", "held", "retrying", "dead", "dropped", "redriven", "discarded", "parked")
RAN = ("completed", "retrying", "dead")
"""Endings of attempts in which code ran."""
CHANGES = {"lease granted": "granted", "lease lost": "lost", "lease released": "released", "commit fenced": "fenced"}
"""What hooks are told of leases, as a label says it."""
OTHER = "other"
"""Stands for a value that is none of those that are declared."""

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Of OpenTelemetry's conventions for messaging; upper bounds."""
LONG = (*SECONDS, 30.0, 60.0, 300.0, 1800.0, 7200.0)
RECORDS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)


class Exemplar:
    """A value, of which workflow it was, and when; seconds since the epoch."""

    __slots__ = ("at", "value", "workflow")

    def __init__(self, value: float, workflow: str, at: float) -> None:
        self.value, self.workflow, self.at = value, workflow, at


class Spread:
    """A histogram. `counts`: by bucket, the last one without a bound; `exemplars`: by bucket the last that had one."""

    __slots__ = ("bounds", "counts", "exemplars", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.exemplars: dict[int, Exemplar] = {}

    def add(self, value: float) -> int:
        """Count it; its bucket."""
        value = max(value, 0.0)
        bucket = bisect_left(self.bounds, value)
        self.counts[bucket] += 1
        self.total += value
        return bucket


class Tally:
    """Of one step, since the process began. `sent`: records that its outcomes published, dead letters among them.

    `ratio`: the share of workflows that are traced; no other makes an exemplar, for it would lead nowhere.
    """

    __slots__ = ("_ratio", "changes", "commits", "dead", "durations", "outcomes", "sent", "sizes")

    def __init__(self, ratio: float = 1.0) -> None:
        self._ratio = ratio
        self.outcomes = dict.fromkeys(ENDINGS, 0)
        self.dead = dict.fromkeys((*REASONS, OTHER), 0)
        self.changes = dict.fromkeys(CHANGES.values(), 0)
        self.durations = {ending: Spread(LONG) for ending in RAN}
        self.commits, self.sizes = Spread(SECONDS), Spread(RECORDS)
        self.sent = 0

    def add(self, commit: Commit) -> None:
        """Count a commit and all that ended with it."""
        self.commits.add(commit.seconds)
        self.sizes.add(commit.records)
        outcomes, durations = self.outcomes, self.durations
        last: dict[tuple[Spread, int], Settled] = {}
        for outcome in commit.outcomes:
            ending, started = outcome.ending, outcome.started
            outcomes[ending] += 1
            self.sent += len(outcome.records)
            if started and (spread := durations.get(ending)) is not None:
                last[spread, spread.add(outcome.finished - started)] = outcome
            if ending == "dead":
                reason = outcome.reason
                self.dead[reason if reason in self.dead else OTHER] += 1
        if last:
            self._exemplify(last)

    def _exemplify(self, last: dict[tuple[Spread, int], Settled]) -> None:
        now = time()
        for (spread, bucket), outcome in last.items():
            if self._ratio >= 1.0 or is_sampled(trace_id(outcome.workflow), self._ratio):
                spread.exemplars[bucket] = Exemplar(outcome.finished - outcome.started, outcome.workflow, now)
