"""Deliveries of one order value stand behind each other; those of others, and of none, pass."""

from typing import Any

from farandole.runtime.delivery import State
from farandole.runtime.lanes import Lanes


class Waiting:
    """As much of a delivery as a lane knows."""

    def __init__(self, lane: str | None) -> None:
        self.lane, self.state = lane, State.READY


def _stand(lanes: Lanes, *names: str | None) -> Any:
    waiting: list[Any] = [Waiting(name) for name in names]
    for one in waiting:
        lanes.enter(one)
    return waiting


def test_only_the_first_of_a_lane_goes_on() -> None:
    """One order value, one at a time."""
    lanes = Lanes()
    found: list[Any] = [Waiting(name) for name in ("a", "a", "b", None, None, "a")]
    assert [lanes.enter(one) for one in found] == [True, False, True, True, True, False]


def test_who_leaves_lets_the_next_one_go_on_in_order() -> None:
    """And the last one leaves nothing behind."""
    lanes = Lanes()
    first, second, third = _stand(lanes, "a", "a", "a")
    assert [lanes.leave(one) for one in (first, second, third)] == [second, third, None]
    assert lanes.enter(first)


def test_only_a_retry_or_a_dead_letter_blocks() -> None:
    """Who runs will be done soon."""
    lanes = Lanes()
    head, waiting = _stand(lanes, "a", "a")
    for state, blocks in ((State.RUNNING, False), (State.READY, False), (State.RETRY, True), (State.DEAD, True)):
        head.state = state
        assert (lanes.blocker(waiting) is head) == blocks
    assert lanes.blocker(head) is None


def test_those_who_are_put_back_stand_first_and_in_order() -> None:
    """They left because the first of them was thought done."""
    lanes = Lanes()
    first, second, third, fourth = _stand(lanes, "a", "a", "a", "a")
    lanes.leave(first)
    lanes.leave(second)
    lanes.put_back([first, second])
    assert list(lanes.behind(first)) == [second, third, fourth]
    lanes.leave(first)
    lanes.leave(second)
    lanes.leave(third)
    lanes.leave(fourth)
    lanes.put_back([first])
    assert lanes.leave(first) is None


def test_no_order_value_means_no_lane() -> None:
    """Nobody waits for it, and nothing is remembered of it."""
    lanes = Lanes()
    (one,) = _stand(lanes, None)
    assert lanes.leave(one) is None
    assert lanes.blocker(one) is None
    assert list(lanes.behind(one)) == []
