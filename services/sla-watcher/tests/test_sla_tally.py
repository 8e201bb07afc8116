"""What a window counts, and its quantiles."""

import json
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_watcher.tally import ACCURACY, Attempt, Tally, read_tally

SECONDS = st.floats(min_value=1e-5, max_value=1e6)
ATTEMPTS = st.lists(st.builds(Attempt, st.just("s/t"), st.booleans(), st.none() | SECONDS), max_size=60)


def exact(durations: list[float], share: float) -> float:
    """By nearest rank."""
    return sorted(durations)[max(1, ceil(share * len(durations))) - 1]


@given(ATTEMPTS, st.sampled_from([0.5, 0.95, 1.0]))
def test_counts_are_exact_and_quantiles_within_one_percent(attempts: list[Attempt], share: float) -> None:
    """Of any attempts; without a duration there is no quantile."""
    tally = Tally().add(attempts)
    assert (tally.count, tally.failures) == (len(attempts), sum(a.failed for a in attempts))
    durations = [a.seconds for a in attempts if a.seconds is not None]
    if durations:
        assert tally.quantile(share) == pytest.approx(exact(durations, share), rel=ACCURACY * 1.01)
    else:
        assert tally.quantile(share) is None


@given(ATTEMPTS, st.integers(0, 60))
def test_parts_merged_are_the_whole_whatever_was_written_in_between(attempts: list[Attempt], cut: int) -> None:
    """Adding one by one, adding halves, and halves that went through JSON all give the same."""
    whole = Tally().add(attempts)
    parts = [Tally().add(attempts[:cut]), Tally().add(attempts[cut:])]
    restored = [read_tally(json.loads(json.dumps(part.to_json()))) for part in parts]
    assert restored[1].merge(restored[0]).to_json() == whole.to_json()
    assert parts[0].add(attempts[cut:]).to_json() == whole.to_json()


def test_a_duration_of_nothing_or_less_than_a_microsecond_is_counted() -> None:
    """Clocks have a resolution, and no logarithm of zero is taken."""
    tally = Tally().add([Attempt("s/t", True, 0.0)])
    assert tally.quantile(0.95) == pytest.approx(1e-6, rel=ACCURACY * 1.01)
    assert (Tally().share, tally.share) == (0.0, 1.0)
