"""docs/scale.md says what the coefficients say."""

import pytest

from scripts.scale.coefficients import load
from scripts.scale.document import PAGE, SIMULATED, digest, quick, stale, written
from tests.sizing.given import ROUND


def test_the_page_is_of_the_coefficients() -> None:
    """Else: python -m scripts.scale --write docs/scale.md."""
    assert stale(PAGE.read_text(encoding="utf-8"), load()) == []


def test_other_coefficients_make_every_block_stale() -> None:
    """Those that are made again, and those whose digest is compared."""
    fresh = written(PAGE.read_text(encoding="utf-8"), quick(ROUND), digest(ROUND))
    assert sorted(stale(fresh, ROUND)) == sorted(SIMULATED)
    assert set(stale(fresh, load())) == set(quick(ROUND))


def test_a_block_without_a_place_is_refused() -> None:
    """A table that nobody would see is a mistake."""
    with pytest.raises(KeyError, match="no place for costs"):
        written("# nothing here\n", {"costs": "|"}, "0" * 12)
