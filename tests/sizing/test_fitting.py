"""Costs are what explains the figures: planted ones are found again, and none is below nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bench_scale.fitting import fit

ROWS = [
    {"commit": commits, "event": 1.0, "byte": size}
    for commits, size in ((1.0, 300.0), (0.5, 300.0), (0.002, 200.0), (0.002, 2_000.0), (0.002, 20_000.0))
]


@settings(deadline=None)
@given(commit=st.floats(1e-5, 1e-2), event=st.floats(1e-6, 1e-3), byte=st.floats(1e-10, 1e-7))
def test_planted_costs_are_found_again(commit: float, event: float, byte: float) -> None:
    """Whatever they are, and the fit says that it misses nothing."""
    planted = {"commit": commit, "event": event, "byte": byte}
    found = fit(ROWS, [sum(row[name] * cost for name, cost in planted.items()) for row in ROWS])
    assert found.residual < 1e-6
    assert all(found.costs[name] == pytest.approx(cost, rel=1e-3) for name, cost in planted.items())


@settings(deadline=None)
@given(st.lists(st.floats(1e-6, 1e-2), min_size=len(ROWS), max_size=len(ROWS)))
def test_no_cost_is_below_nothing(measured: list[float]) -> None:
    """However contradictory the figures; then the residual says so."""
    found = fit(ROWS, measured)
    assert min(found.costs.values()) >= 0
    explained = [sum(row[name] * cost for name, cost in found.costs.items()) for row in ROWS]
    worst = max(abs(1 - one / other) for one, other in zip(explained, measured, strict=True))
    assert found.residual == pytest.approx(worst, rel=1e-6, abs=1e-9)
