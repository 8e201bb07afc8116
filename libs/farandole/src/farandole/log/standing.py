"""`Standing`: how one step stands in this process just now; what metrics and probes ask of the runtime."""

from collections.abc import Mapping
from typing import NamedTuple

ROWS = ("open", "retry", "parked", "dead", "slot", "closed")
"""Kinds of rows that are counted: what a step still owes, and the closed groups that it remembers."""


class Standing(NamedTuple):
    """Counts are of this process alone; `moment`, `joined` and `polled` are seconds of the event loop's clock.

    `leases`, `paused`: partitions held, and those of them whose topic is not polled for too much is owed. `taken`:
    records polled so far. `moves`: attempts that ended and commits that were made so far. `running`: deliveries that
    a runner has. `in_flight`: deliveries under way, from the poll to the commit. `unheld`: some are in flight, but no
    runner, commit or timer has them. `rows`: by kind. `groups`: that lack members. `lag`: seconds since the oldest
    event in flight was written to the log. `timeout`: of one attempt, where one is declared. `joined`, `polled`: when
    the step joined its group and last came back from a poll, 0.0 not yet. `granted`: it held a partition once.
    `restoring`: it reads the rows of a partition.
    """

    service: str
    step: str
    version: str
    moment: float
    concurrency: int
    timeout: float | None
    joined: float
    polled: float
    granted: bool
    restoring: bool
    leases: int
    paused: int
    taken: int
    moves: int
    running: int
    in_flight: int
    unheld: bool
    rows: Mapping[str, int]
    groups: int
    lag: float

    @property
    def name(self) -> str:
        """The step's full name."""
        return f"{self.service}/{self.step}"
