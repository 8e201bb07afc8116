"""The simulation beside what was measured, with the coefficients that are kept: no clock, no broker.

How far it may be off is `make bench-scale`'s to judge, which measures.
"""

from scripts.scale.coefficients import load
from scripts.scale.scenes import ERRORS, Agreement, agreements, astray


def test_every_point_has_a_measured_and_a_simulated_figure() -> None:
    """Of the bench and of the soak; some of each kind that has a bound."""
    found = list(agreements(load()))
    assert {each.source for each in found} == {"bench-scale", "docs/proofs/soak-kafka.md"}
    assert all(each.measured > 0 and each.simulated > 0 for each in found)
    assert all(any(kind in each.what for each in found) for kind in ERRORS)


def test_what_is_further_off_than_its_kind_may_be_is_astray() -> None:
    """Either way; of what has no bound, nothing is."""
    points = [
        Agreement(what, "", 100.0, simulated, "")
        for what in ("1 hop at 200/s, p50", "1 hop as fast as it goes, 200 B", "1 hop at 200/s, p99")
        for simulated in (45.0, 70.0, 100.0, 130.0, 160.0)
    ]
    assert [(each.what[-5:], each.simulated) for each in astray(points)] == [
        *((", p50", 45.0), (", p50", 160.0)),
        *(("200 B", 45.0), ("200 B", 70.0), ("200 B", 130.0), ("200 B", 160.0)),
    ]
