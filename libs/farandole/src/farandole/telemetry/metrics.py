"""`MetricsHooks`: hooks that count, once a commit; nothing is done per event while its code runs."""

from contextlib import AbstractContextManager

from farandole.log.hooks import UNHEARD, Attempt, Commit, Ended, Ending
from farandole.telemetry.tally import CHANGES, Tally


class MetricsHooks:
    """Counts by step; see `exposition` for what comes of it. Called on one event loop, read from any thread.

    `ratio`: the share of workflows that are traced.
    """

    __slots__ = ("_ratio", "steps")

    def __init__(self, ratio: float = 1.0) -> None:
        self._ratio = ratio
        self.steps: dict[tuple[str, str], Tally] = {}
        """By service and step."""

    def tally(self, service: str, step: str) -> Tally:
        """What is counted of a step; all zero at first."""
        found = self.steps.get((service, step))
        if found is None:
            found = self.steps[service, step] = Tally(self._ratio)
        return found

    def running(self, attempt: Attempt) -> AbstractContextManager[None]:
        """Nothing: an attempt tells when it began and ended."""
        return UNHEARD

    def hears(self, ending: Ending) -> bool:
        """Never: a commit tells all that ended with it."""
        return False

    def ended(self, ended: Ended) -> None:
        """Nothing, see `committed`."""

    def committed(self, commit: Commit) -> None:
        """Count it, and what ended with it."""
        self.tally(commit.service, commit.step).add(commit)

    def noted(self, event: str, **fields: object) -> None:
        """Count what leases went through; the rest is for log lines."""
        change, step = CHANGES.get(event), fields.get("step")
        if change is not None and isinstance(step, str):
            service, _, name = step.partition("/")
            self.tally(service, name).changes[change] += 1
