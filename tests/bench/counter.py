"""An aggregate of `eventsourcing`, the peer: one event a step."""

from eventsourcing.domain import Aggregate, event


class Counter(Aggregate):
    """As `eventsourcing` has it."""

    def __init__(self) -> None:
        self.steps = 0

    @event("Stepped")
    def step(self) -> None:
        """One step."""
        self.steps += 1
