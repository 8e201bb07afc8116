"""`Hooks`: where telemetry listens. The runtime calls it outside of transactions; it must not raise or block."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, NamedTuple, Protocol

from farandole.events.envelope import Envelope

Ending = Literal["completed", "held", "retrying", "dead"]
UNHEARD: AbstractContextManager[None] = nullcontext()
"""What `running` gives where nothing is to be done around the code; composed hooks leave it out."""


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


class Settled(Protocol):
    """One outcome of a commit. `started`: 0.0 where no code ran; `reason`: of a dead letter; `sampled`: whether its
    workflow's trace is kept, None where that was not asked yet.

    `ending`: an `Ending`, or "dropped", "redriven", "discarded" or "parked".
    """

    @property
    def ending(self) -> str: ...  # noqa: D102
    @property
    def started(self) -> float: ...  # noqa: D102
    @property
    def finished(self) -> float: ...  # noqa: D102
    @property
    def records(self) -> Sequence[object]: ...  # noqa: D102
    @property
    def reason(self) -> str: ...  # noqa: D102
    @property
    def workflow(self) -> str: ...  # noqa: D102
    @property
    def sampled(self) -> bool | None: ...  # noqa: D102


class Commit(NamedTuple):
    """A durable commit of one step: `records` in all, rows and facts among them, in so many `seconds`.

    `tell`: gives what `ended` would be told of an outcome whose ending is an `Ending`, for who wants few of them.
    """

    service: str
    step: str
    records: int
    seconds: float
    outcomes: Sequence[Settled] = ()
    tell: "Callable[[Any], Ended] | None" = None

    @property
    def producer(self) -> str:
        """The step's full name."""
        return f"{self.service}/{self.step}"


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

    def committed(self, commit: Commit) -> None:
        """A commit of a step's subscription is durable; told before `ended` of what it holds."""
        ...

    def noted(self, event: str, **fields: object) -> None:
        """Something that an operator should know: a lease, a rebalance, a paused partition, a fenced commit."""
        ...
