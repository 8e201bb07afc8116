"""The simulation: nothing is lost, the same seed tells the same, and known laws of queues hold."""

import statistics
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.scale.dance import HANDOVER, Dance, Setting
from scripts.scale.engine import Clock, Cores
from scripts.scale.figures import figures, percentile, recovery
from scripts.scale.process import Costs
from scripts.scale.scenes import costs
from scripts.scale.streams import shares
from tests.sizing.given import ROUND

COSTS = costs(ROUND, work=0.001)
QUIET = 100.0
"""Seconds after the last arrival: all has come through."""


def arrivals(setting: Setting) -> int:
    """How many events there are to come: those of a dance that only takes them in."""
    dance = Dance(replace(setting, hops=1, costs=Costs(event=0.0)))
    return dance.run(setting.seconds + QUIET).delivered


def test_the_same_seed_tells_the_same() -> None:
    """To the last bit; another seed tells something else."""
    setting = Setting(300, COSTS, shares=(0.25,) * 4, hops=2, processes=2, seconds=5)
    first, again, other = (figures(Dance(replace(setting, seed=seed)).run()) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@settings(max_examples=20, deadline=None)
@given(
    rate=st.floats(10, 900),
    hops=st.integers(1, 3),
    processes=st.integers(1, 4),
    kill=st.floats(0.5, 3),
    restart=st.sampled_from([0.0, 0.5, 9.0]),
    seed=st.integers(0, 5),
)
def test_nothing_is_lost_or_comes_twice(
    rate: float, hops: int, processes: int, kill: float, restart: float, seed: int
) -> None:
    """At any moment what was published is through or under way; in the end all is through, whoever was killed."""
    setting = Setting(rate, COSTS, (0.25,) * 4, hops, processes, seconds=4, lease=2.0, seed=seed)
    dance = Dance(setting)
    dance.kill(hops - 1, 0, kill, restart=restart or (1.0 if processes == 1 else 0.0))
    dance.join(0, 2.0)
    for moment in (1.0, 2.5, 4.0, 10.0):
        dance.run(moment)
        assert dance.published == dance.delivered + dance.under_way
    dance.run(setting.seconds + QUIET)
    assert dance.under_way == 0
    assert dance.delivered == arrivals(setting)


def test_the_law_of_utilisation_holds() -> None:
    """What comes through in a second times what one takes is the share of the interpreter that is busy."""
    each = Costs(event=0.002, broker_event=0.001)
    got = figures(Dance(Setting(300, each, seconds=60, warm=0)).run())
    assert got.busiest == pytest.approx(0.002 * got.rate, rel=0.01)
    assert got.brokers == pytest.approx(0.001 * got.rate, rel=0.01)
    assert got.rate == pytest.approx(300, rel=0.03)


@pytest.mark.parametrize("load", [0.3, 0.5, 0.8])
def test_one_at_a_time_waits_as_in_a_queue_of_random_arrivals_and_equal_work(load: float) -> None:
    """M/D/1: a mean delay of S + load × S / (2 × (1 - load)), by Pollaczek and Khinchine."""
    each, lasting = 0.01, Costs(event=0.01, poll=1, window=10**9)
    dance = Dance(Setting(load / each, lasting, seconds=600, warm=20)).run()
    mean = statistics.fmean(delay for delay, _ in dance.delays)
    assert mean == pytest.approx(each + load * each / (2 * (1 - load)), rel=0.06)


def test_commits_take_what_came_meanwhile() -> None:
    """A commit of 10 ms at 1,000 events/s holds ten, and no more than a hundred commits are made a second."""
    slow = Costs(event=1e-6, alone=(0.01, 0.01), again=(0.01, 0.01))
    got = figures(Dance(Setting(1_000, slow, seconds=20)).run())
    assert got.commits == pytest.approx(100, rel=0.02)
    assert got.batch == pytest.approx(10, rel=0.05)
    assert got.hop_p50 == pytest.approx(0.015, rel=0.1)


def test_cores_that_are_shared_bound_what_they_do() -> None:
    """Work of 3 seconds on two cores takes 1.5, and a short piece does not wait for a long one."""
    clock, ends = Clock(), dict[str, float]()
    cores = Cores(clock, 2)
    for name, seconds in (("a", 1.0), ("b", 1.0), ("c", 1.0), ("short", 0.001)):
        cores.work(seconds, lambda name=name: ends.setdefault(name, clock.now))  # type: ignore[misc]
    clock.run(10.0)
    assert max(ends.values()) == pytest.approx(3.001 / 2, abs=0.01)
    assert ends["short"] < 0.02
    assert cores.busy == pytest.approx(3.001)


def test_time_does_not_go_back() -> None:
    """Nothing can be asked for that is over."""
    clock = Clock()
    clock.run(1.0)
    with pytest.raises(ValueError, match="over"):
        clock.at(0.5, lambda: None)


def test_who_dies_is_missed_for_a_lease_and_a_handover() -> None:
    """The oldest event ages by as much; then it goes on, and with room to spare all is as before."""
    setting = Setting(400, COSTS, (0.125,) * 8, processes=2, seconds=60, lease=6.0)
    dance = Dance(setting)
    dance.kill(0, 0, 5.0)
    age, seconds = recovery(dance.run(), 0, 5.0)
    assert 6 + HANDOVER - 0.2 <= age <= 6 + HANDOVER + 2.5
    assert age < seconds < 30


def test_without_room_to_spare_nothing_is_as_before() -> None:
    """Two bear 1,000/s, one does not."""
    setting = Setting(1_000, COSTS, (0.125,) * 8, processes=2, seconds=40)
    dance = Dance(setting)
    dance.kill(0, 0, 5.0)
    assert recovery(dance.run(), 0, 5.0)[1] == float("inf")


def test_one_more_takes_its_share() -> None:
    """Partitions move until all have as many, and what was late comes through."""
    setting = Setting(1_000, COSTS, (1 / 12,) * 12, processes=2, seconds=30)
    dance = Dance(setting)
    dance.join(0, 5.0)
    dance.run()
    assert sorted(len(process.partitions) for process in dance.hops[0].processes) == [4, 4, 4]


@settings(deadline=None)
@given(st.integers(1, 64), st.integers(1, 500), st.floats(0, 2))
def test_shares_of_partitions_are_all_of_it(partitions: int, keys: int, skew: float) -> None:
    """And skew makes the largest one larger."""
    even, skewed = (shares(partitions, keys=keys, skew=each) for each in (0.0, skew))
    assert sum(skewed) == pytest.approx(1)
    assert len(skewed) == partitions
    assert min(even) >= 0


def test_a_percentile_counts_events_not_pairs() -> None:
    """Nine of ten events took one second."""
    assert percentile([(1.0, 9), (5.0, 1)], 0.9) == 1.0
    assert percentile([(1.0, 9), (5.0, 1)], 0.95) == 5.0
