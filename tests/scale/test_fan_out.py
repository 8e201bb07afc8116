"""A fan-out of 10,000 gathers in linear time, with flat memory and small rows."""

import pytest

from tests.scale.large import Cost, run

pytestmark = pytest.mark.slow

_NOISE = 1.6  # how much dearer a member may be in the larger run: other processes share the machine


def _best(size: int) -> Cost:
    return min((run(size) for _ in range(2)), key=lambda cost: cost.seconds)


def test_gathering_takes_time_in_proportion_to_the_members() -> None:
    """2,500, 5,000 and 10,000 members: the cost of one does not grow."""
    per_member = [_best(size).seconds / size for size in (2_500, 5_000, 10_000)]
    print("seconds a member:", *(f"{cost:.6f}" for cost in per_member))
    assert max(per_member[1:]) <= _NOISE * per_member[0]


def test_a_member_takes_as_much_memory_in_a_large_group_as_in_a_small_one() -> None:
    """At the peak, the log's own records included (they are in memory here, too)."""
    small, large = (run(size, memory=True).peak / size for size in (1_000, 10_000))
    print(f"bytes a member: {small:.0f}, {large:.0f}")
    assert large <= 1.2 * small


def test_no_record_grows_with_the_group() -> None:
    """State records stay below 64 kB (in fact below one), journal records below 256 kB."""
    largest = run(10_000).largest
    assert largest["state"] < 1024 < 64 * 1024
    assert largest["journal"] <= 256 * 1024
