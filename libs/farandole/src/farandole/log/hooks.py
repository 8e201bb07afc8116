"""`Hooks`: where telemetry listens. The runtime calls it outside of transactions; it must not raise or block."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, NamedTuple, Protocol

from farandole.events.envelope import Envelope

Ending = Literal["completed", "held", "retrying", "dead"]


class Attempt(NamedTuple):
    """One attempt of one delivery; `delivery` is also the idempotency key."""

    service: str
    step: str
    delivery: str
    workflow: str
    event: Envelope | None  # None: a group, or a record that cannot be decoded
    attempt: int
    worker: str


class Ended(NamedTuple):
    """How an attempt ended, told after the commit that holds its fact.

    `facts`: the facts as they were written, not to be changed. `members`: of a group, gives its events when called.
    """

    attempt: Attempt
    ending: Ending
    started: float
    finished: float
    outputs: int
    error: BaseException | None = None
    facts: Sequence[Mapping[str, Any]] = ()
    members: Callable[[], Sequence[Envelope]] | None = None


class Hooks(Protocol):
    """Every method may be called from the event loop at any time; order per delivery is kept."""

    def running(self, attempt: Attempt) -> AbstractContextManager[None]:
        """Entered around the user's code, in the thread or process that runs it."""
        ...

    def hears(self, ending: Ending) -> bool:
        """Whether `ended` makes anything of such an ending now; asked once a commit, for telling costs time."""
        ...

    def ended(self, ended: Ended) -> None:
        """An attempt's outcome is durable."""
        ...

    def committed(self, step: str, records: int, seconds: float) -> None:
        """A commit of a step's subscription is durable."""
        ...

    def noted(self, event: str, **fields: object) -> None:
        """Something that an operator should know: a lease, a rebalance, a paused partition, a fenced commit."""
        ...
