"""Several hooks as one."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from farandole.events.envelope import Envelope
from farandole.log.hooks import UNHEARD, Attempt, Commit, Ended, Ending, Hooks
from farandole.telemetry.compose import compose
from farandole.telemetry.metrics import MetricsHooks

ATTEMPT = Attempt("s", "t", "d", "w", Envelope("e", "src", "a.b", 1, b"{}"), 1, "h")


class Listening:
    """Hooks that write down what they are told."""

    def __init__(self, name: str, told: list[str]) -> None:
        self.name, self.told = name, told

    @contextmanager
    def running(self, attempt: Attempt) -> Iterator[None]:
        self.told.append(f"{self.name} in {attempt.step}")
        try:
            yield
        finally:
            self.told.append(f"{self.name} out")

    def hears(self, ending: Ending) -> bool:
        """Of every one."""
        return True

    def ended(self, ended: Ended) -> None:
        self.told.append(f"{self.name} {ended.ending}")

    def committed(self, commit: Commit) -> None:
        self.told.append(f"{self.name} {commit.producer} {commit.records} {commit.seconds}")

    def noted(self, event: str, **fields: object) -> None:
        self.told.append(f"{self.name} {event} {fields}")


def test_none_and_one_cost_nothing() -> None:
    """No hooks are None, so that the runtime can skip them; one is itself."""
    assert compose([]) is None
    one = Listening("a", [])
    assert compose([one]) is one


def test_all_are_told_in_order_and_left_in_reverse() -> None:
    """Each method, with its arguments."""
    told: list[str] = []
    both: Hooks | None = compose([Listening("a", told), Listening("b", told)])
    assert both is not None
    with both.running(ATTEMPT):
        told.append("code")
    both.ended(Ended(ATTEMPT, "completed", 0.0, 1.0, 1))
    both.committed(Commit("s", "t", 5, 0.5))
    both.noted("note", x=1)
    assert told == [
        "a in t", "b in t", "code", "b out", "a out",
        "a completed", "b completed", "a s/t 5 0.5", "b s/t 5 0.5", "a note {'x': 1}", "b note {'x': 1}",
    ]  # fmt: skip


def test_an_exception_of_the_code_passes_through_all() -> None:
    """Each is left, none swallows it."""
    told: list[str] = []
    both = compose([Listening("a", told), Listening("b", told)])
    assert both is not None
    with pytest.raises(ValueError, match="code"), both.running(ATTEMPT):
        raise ValueError("code")
    assert told[2:] == ["b out", "a out"]


def test_who_has_nothing_to_do_around_the_code_is_not_entered() -> None:
    """One alone is entered as it is; none at all costs nothing."""
    told: list[str] = []
    one = compose([MetricsHooks(), Listening("a", told)])
    none = compose([MetricsHooks(), MetricsHooks()])
    assert one is not None
    assert none is not None
    with one.running(ATTEMPT):
        told.append("code")
    assert told == ["a in t", "code", "a out"]
    assert none.running(ATTEMPT) is UNHEARD
