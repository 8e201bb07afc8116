"""The simulation beside what was measured, with the coefficients that are kept: no clock, no broker."""

from functools import cache

import pytest

from scripts.scale.coefficients import alone, load
from scripts.scale.scenes import ERRORS, Agreement, agreements


@cache
def found() -> list[Agreement]:
    """Every point."""
    return list(agreements(load()))


@pytest.mark.parametrize(("kind", "error"), ERRORS.items())
def test_what_was_measured_is_reproduced(kind: str, error: float) -> None:
    """Within the error that docs/scale.md states of each kind, where nothing else ran while it was measured."""
    points = {each.what: each.off for each in found() if kind in each.what}
    assert points
    if not alone(load()):
        pytest.skip("the coefficients were measured beside other work, which is not simulated: run make bench-scale")
    assert {what: off for what, off in points.items() if abs(off) > error} == {}


def test_every_point_has_a_measured_and_a_simulated_figure() -> None:
    """Of the bench and of the soak."""
    assert {each.source for each in found()} == {"bench-scale", "docs/proofs/soak-kafka.md"}
    assert all(each.measured > 0 and each.simulated > 0 for each in found())
