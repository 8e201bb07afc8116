"""What slices show together is what each showed, added up."""

from typing import Any

from tests.chaos_kafka.book import total


def _slice(seed: int, kills: int, twice: int, seconds: list[float]) -> dict[str, Any]:
    return {
        "commit": f"c{seed}",
        "plan": {"seed": seed},
        "faults": {"kill": kills, "held": kills - 1, "broker kill": 2, "rolling restart": 1},
        "counts": {"lost": 0, "twice": twice, "reordered": 0},
        "seen": {"done": 10, "events": 100},
        "healing": {"settled_after": float(seed)},
        "takeover": {"samples": {"alone": seconds, "beside": []}},
        "problems": ["twice"] * twice,
        "seconds": 60.4,
    }


def test_faults_findings_and_take_overs_add_up() -> None:
    """Percentiles are of all samples, not of percentiles."""
    both = total([_slice(1, 60, 0, [1.0] * 98), _slice(2, 40, 0, [9.0, 9.0])])
    assert (both["faults"]["kill"], both["broker_faults"], both["orders"], both["seconds"]) == (100, 6, 20, 121)
    assert both["takeover"]["alone"] == {"kills": 100, "p50": 1.0, "p99": 9.0, "max": 9.0}
    assert (both["rate_below"], both["settled_after"], both["problems"]) == (0.03, 2.0, [])


def test_one_finding_is_a_finding_of_all() -> None:
    """No bound is claimed then."""
    both = total([_slice(1, 60, 1, []), _slice(2, 40, 0, [])])
    assert (both["findings"]["twice"], both["problems"], both["rate_below"]) == (1, ["twice"], None)


def test_all_together_are_judged_by_their_own_percentile() -> None:
    """One slow take-over of a hundred is none at p99; two are."""
    assert total([_slice(1, 60, 0, [1.0] * 59), _slice(2, 40, 0, [20.0] + [1.0] * 40)])["problems"] == []
    assert len(total([_slice(1, 60, 0, [20.0] * 2), _slice(2, 40, 0, [1.0] * 98)])["problems"]) == 1


def test_the_traces_of_the_slices_that_looked_at_them_add_up() -> None:
    """Slices of before they did say nothing of traces."""
    looked = _slice(1, 60, 0, []) | {"traces": {"spans": 500, "wrong": 0, "unconnected": []}}
    other = _slice(2, 40, 0, []) | {"traces": {"spans": 300, "wrong": 2, "unconnected": ["x", "y"]}}
    assert total([looked, other, _slice(3, 1, 0, [])])["traces"] == {"slices": 2, "spans": 800, "wrong": 2}
