"""Windows: where their bounds are, when they are over, and that what comes twice changes nothing."""

from collections import defaultdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sla_watcher.ledger import Closed, Ledger
from sla_watcher.tally import Attempt, Tally
from sla_watcher.windows import Clock, start_of

SIZE = 10
PART = Tally().add([Attempt("s/t", False, 1.0)]).to_json()
Said = tuple[int, str | None, int]  # partition; step and start, or None and the clock's bound


def put(ledger: Ledger, said: Said, tally: dict[str, Any] = PART) -> list[Closed]:
    """What follows from it; like the watcher, everything that is told of is forgotten."""
    partition, step, time = said
    if step is not None:
        ledger.note(partition, step, time, tally)
        return []
    ledger.advance(partition, time)
    closed = list(ledger.closed())
    for window in closed:
        ledger.forget(window.key)
    return closed


def test_a_time_on_the_bound_belongs_to_the_window_that_begins_there() -> None:
    """Windows have no gap and do not overlap."""
    assert [start_of(time, SIZE) for time in (0, 9.999, 10, 19.999, 20)] == [0, 0, 10, 10, 20]


def test_a_clock_says_each_bound_once_and_what_comes_late_counts_in_the_next_window() -> None:
    """Two brokers' clocks may differ by more than the slack."""
    clock = Clock(SIZE)
    assert clock.due(9.9) is None
    assert clock.due(31.0) == 30
    clock.told = 30
    assert clock.due(39.9) is None
    assert clock.clamp(12.0) == 30.0
    assert clock.clamp(33.0) == 33.0


def test_a_window_is_over_when_every_partition_has_passed_it() -> None:
    """Even those that hold nothing of it."""
    ledger = Ledger({}, 3, SIZE)
    assert put(ledger, (0, "s/t", 0)) == []
    assert put(ledger, (0, None, 10)) == []
    assert put(ledger, (1, "s/t", 0)) == []
    assert put(ledger, (1, None, 30)) == []
    (window,) = put(ledger, (2, None, 10))
    assert (window.step, window.start, window.tally.count) == ("s/t", 0, 2)
    assert put(ledger, (2, None, 20)) == []


def test_a_part_that_comes_again_with_other_figures_changes_nothing() -> None:
    """Neither before its window is told of nor after: a counter that lost its state may say too little."""
    kept: dict[str, Any] = {}
    ledger = Ledger(kept, 1, SIZE)
    ledger.note(0, "s/t", 0, PART)
    ledger.note(0, "s/t", 0, Tally().to_json())
    (window,) = put(ledger, (0, None, 10))
    assert window.tally.count == 1
    ledger.note(0, "s/t", 0, PART)
    assert put(ledger, (0, None, 20)) == []
    assert set(kept) == {"clocks"}


def sayings(windows: dict[int, list[int]]) -> dict[int, list[Said]]:
    """What each partition says that has attempts in the windows, and then goes past all of them."""
    return {p: [*((p, "s/t", n * SIZE) for n in ns), (p, None, 100)] for p, ns in windows.items()}


@given(
    st.fixed_dictionaries({p: st.lists(st.integers(0, 9), unique=True).map(sorted) for p in range(3)}),
    st.randoms(use_true_random=False),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 20)), max_size=4),
)
def test_crashes_change_no_figure_whenever_they_come(
    windows: dict[int, list[int]], random: Any, crashes: list[tuple[int, int]]
) -> None:
    """After a crash some of the topic is read again onto what was kept; each window is told of with one tally."""
    queues = sayings(windows)
    topic: list[Said] = []
    while any(queues.values()):
        topic.append(queues[random.choice([p for p, q in queues.items() if q])].pop(0))
    kept: dict[str, Any] = {}
    told: dict[int, set[int]] = defaultdict(set)
    at = 0
    pending = dict(crashes)
    while at < len(topic):
        for window in put(Ledger(kept, 3, SIZE), topic[at]):
            told[window.start].add(window.tally.count)
        at = max(0, at + 1 - pending.pop(at, 0))
    counts = {n * SIZE: {sum(n in ns for ns in windows.values())} for n in range(10)}
    assert dict(told) == {start: count for start, count in counts.items() if count != {0}}
