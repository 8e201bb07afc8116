"""What is counted of a step while it works: plain numbers, added up by commit, and turned into metrics when asked."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
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

    def add(self, value: float) -> None:
        """Count it."""
        value = max(value, 0.0)
        bucket = bisect_left(self.bounds, value)
        self.counts[bucket] += 1
        self.total += value

    def add_all(self, outcomes: Iterable[Settled]) -> dict[int, Settled]:
        """Count how long those took in which code ran; by bucket the last one."""
        bounds, counts = self.bounds, self.counts
        last: dict[int, Settled] = {}
        for outcome in outcomes:
            if started := outcome.started:
                value = max(outcome.finished - started, 0.0)
                bucket = bisect_left(bounds, value)
                counts[bucket] += 1
                self.total += value
                last[bucket] = outcome
        return last


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
        endings = [outcome.ending for outcome in commit.outcomes]
        for ending in set(endings):  # nearly always there is one
            ended = [outcome for outcome in commit.outcomes if outcome.ending == ending]
            self.outcomes[ending] += len(ended)
            if (spread := self.durations.get(ending)) is not None:
                self._exemplify(spread, spread.add_all(ended))
            if ending == "dead":
                for reason in [outcome.reason for outcome in ended]:
                    self.dead[reason if reason in self.dead else OTHER] += 1
        self.sent += sum([len(outcome.records) for outcome in commit.outcomes])

    def _exemplify(self, spread: Spread, last: Mapping[int, Settled]) -> None:
        now = time()
        for bucket, outcome in last.items():
            if self._ratio >= 1.0 or is_sampled(trace_id(outcome.workflow), self._ratio):
                spread.exemplars[bucket] = Exemplar(outcome.finished - outcome.started, outcome.workflow, now)
