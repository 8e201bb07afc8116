"""The table of bad inputs is whole, and what it names is there."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.badinput.table import TABLE

ROOT = Path(__file__).parents[2]
EXPECTED = {*range(1, 9), *range(10, 37), *range(41, 45), *range(46, 51), *range(63, 73)}


def test_the_table_has_exactly_the_inputs_that_are_to_be_answered() -> None:
    """Each with a test at least."""
    assert set(TABLE) == EXPECTED
    assert all(words and tests for words, tests in TABLE.values())


@pytest.mark.parametrize("number", sorted(TABLE))
def test_each_named_test_exists(number: int) -> None:
    """As a function of its file, whatever its parameters are."""
    for node in TABLE[number][1]:
        path, _, name = node.partition("::")
        name = name.partition("[")[0]
        assert name.startswith("test_")
        assert name in _tests(ROOT / path), f"{node} is not there"


@cache
def _tests(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))
