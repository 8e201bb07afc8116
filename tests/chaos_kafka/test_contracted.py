"""Which cases of the contract suite count as a find of a planted defect."""

from typing import Any

import pytest

from tests.chaos_kafka import contracted

A, B = "tests/kafka/test_contract.py::test_on_kafka[order.a]", "tests/kafka/test_contract.py::test_on_kafka[limits.b]"


def test_failed_tests_are_read_from_what_pytest_says() -> None:
    """With and without a reason behind them."""
    said = f"..F\nFAILED {A} - AssertionError: 1 [of 2]\nFAILED {B}\nERROR {B} - boom\n2 failed in 3s"
    assert contracted.failed_tests(said) == sorted([A, B])
    assert contracted.case_of(A) == "order.a"


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([(0, [])], ""),
        ([(1, [A]), (0, []), (1, [A])], "has found x by order.a"),
        ([(1, [A, B]), (1, [B]), (1, [A])], "has found x by order.a"),
        ([(1, [B]), (1, [B])], ""),
        ([(1, [A]), (0, []), (0, [])], ""),
        ([(2, [])], "could not be run: pytest ended with 2"),
        ([(1, [A]), (2, [])], "could not be run without the defect: pytest ended with 2"),
    ],
    ids=["passes", "fails with it alone", "one of two", "fails without it too", "once only", "broken", "broken later"],
)
def test_a_find_fails_with_the_defect_twice_and_never_without_it(
    runs: list[tuple[int, list[str]]], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails on a healthy engine, or does not fail again, is no find."""
    left = iter(runs)

    def failing(tests: Any, environment: Any) -> tuple[int, list[str]]:
        return next(left)

    monkeypatch.setattr(contracted, "_failing", failing)
    assert contracted.found_by_contract("x") == expected
    assert next(left, None) is None
