"""`Crew`: what the rooms that decide about deliveries ask of the worker that holds them."""

from collections.abc import Callable
from typing import Any, Protocol

from farandole.runtime.delivery import Delivery
from farandole.runtime.outcome import Outcome


class Crew(Protocol):
    """Implemented by the worker; called on the event loop."""

    def ready(self, delivery: Delivery) -> None:
        """The delivery can run now."""
        ...

    def finished(self, outcome: Outcome) -> None:
        """The outcome can commit."""
        ...

    def later(self, delay: float, call: Callable[[], None]) -> Any:
        """Call back after `delay` seconds; gives a handle with `cancel()`."""
        ...

    def foreign(self, source: str) -> bool:
        """Whether no manifest names this source."""
        ...


class Die(Protocol):
    """Sets a delivery aside; `absences`: whether its group is told."""

    def __call__(self, delivery: Delivery, reason: str, error: BaseException, *, absences: bool = True) -> None:
        """Dead-letter it."""
        ...
