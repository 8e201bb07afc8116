"""The model: what grows with the rate grows, units hold, and what it says is needed suffices."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.scale.need import POLL, SMALLEST, Ground, Layout, Model, Workload
from tests.sizing.given import ROUND

MODEL = Model(ROUND)
RATES = st.floats(0.01, 1e6)
WORKLOADS = st.builds(
    Workload,
    rate=RATES,
    hops=st.integers(1, 20),
    size=st.floats(0, 100_000),
    work=st.floats(0, 1),
    gathered=st.floats(0, 100),
)


@settings(deadline=None, max_examples=40)
@given(RATES, st.floats(1.001, 10))
def test_more_events_never_cost_a_process_less(rate: float, more: float) -> None:
    """Its interpreter is busier, and a commit holds at least as many deliveries."""
    workload = Workload(1.0, hops=1)
    assert MODEL.busy(rate * more, workload) > MODEL.busy(rate, workload)
    assert MODEL.cycle(rate * more)[0] >= MODEL.cycle(rate)[0] * (1 - 1e-9)


@settings(deadline=None, max_examples=40)
@given(RATES)
def test_a_commit_holds_one_delivery_to_a_poll_full(rate: float) -> None:
    """And deliveries times commits are the rate."""
    batch, commits = MODEL.cycle(rate)
    assert batch >= 1 - 1e-9
    assert batch <= POLL
    assert batch * commits == pytest.approx(rate)


def test_a_trickle_commits_each_event_alone() -> None:
    """At one event in ten seconds nothing can be gathered."""
    batch, commits = MODEL.cycle(0.1)
    assert batch == pytest.approx(1, rel=0.001)
    assert commits == pytest.approx(0.1, rel=0.001)


@settings(deadline=None, max_examples=40)
@given(WORKLOADS)
def test_what_is_needed_suffices(workload: Workload) -> None:
    """With the layout that the model asks for nothing is used beyond what is planned with, but for a hot key."""
    layout = MODEL.layout(workload)
    shares = MODEL.shares(workload, layout)
    assert max(shares.values()) <= MODEL.ground.full * (1 + 1e-6)
    assert layout.partitions >= 2 * layout.processes
    assert layout.partitions % layout.processes == 0
    assert layout.journal >= layout.projectors


@settings(deadline=None, max_examples=40)
@given(WORKLOADS, st.floats(1.1, 5))
def test_more_events_never_need_less(workload: Workload, more: float) -> None:
    """Of anything."""
    less, greater = MODEL.layout(workload), MODEL.layout(replace(workload, rate=workload.rate * more))
    assert greater.processes >= less.processes
    assert greater.projectors >= less.projectors
    assert greater.brokers >= less.brokers


@settings(deadline=None, max_examples=40)
@given(WORKLOADS)
def test_the_first_to_give_way_is_full_at_its_limit(workload: Workload) -> None:
    """At the rate that is named its share is all of it, and no other's is more."""
    rate, name = MODEL.limits(workload, SMALLEST)[0]
    shares = MODEL.shares(replace(workload, rate=rate), SMALLEST) if rate else {name: 1.0}
    assert shares[name] == pytest.approx(1, rel=1e-3)
    assert max(shares.values()) <= 1 + 1e-3


def test_disk_is_events_facts_and_marks_of_every_copy() -> None:
    """1,000/s of 300 B through two steps: three events and two facts each, worked out by hand."""
    model = Model(ROUND, Ground(replication=3, days=1))
    workload, layout = Workload(1_000, hops=2, size=300), Layout(1, 4, 4, 3, 1)
    load = model.load(workload, layout)
    a_second = 3 * (1_000 * (3 * (300 + 300) + 2 * 450) + load.commits * 400)
    assert load.written == pytest.approx(a_second)
    assert load.kept == pytest.approx(86_400 * a_second)
    assert load.facts == 2_000


def test_each_copy_costs_the_brokers_once_more() -> None:
    """Disk and what comes in grow by the copies; services notice nothing."""
    workload, layout = Workload(1_000), Layout(2, 8, 4, 3, 1)
    one, three = (Model(ROUND, Ground(replication=copies)).load(workload, layout) for copies in (1, 3))
    assert three.written == pytest.approx(3 * one.written)
    assert three.broker > one.broker
    assert three.service == one.service


def test_a_key_that_has_everything_is_borne_by_one_process() -> None:
    """However many there are."""
    hot = Workload(1.0, hottest=1.0)
    limits = {name: rate for rate, name in MODEL.limits(hot, Layout(64, 128, 64, 9, 64))}
    assert limits["interpreter"] == pytest.approx(MODEL.bears(Workload(1.0)), rel=1e-6)


def test_a_thousandfold_of_processes_makes_a_thousandfold_of_commits() -> None:
    """Where each has little to do: that is what brokers feel first of many small processes."""
    workload = Workload(10_000, hops=1)
    few, many = (MODEL.load(workload, Layout(count, 2 * count, 4, 3, 1)) for count in (1, 1_000))
    assert many.commits > 20 * few.commits
    assert many.broker > 3 * few.broker


@pytest.mark.parametrize(
    "wrong", [{"rate": 0.0}, {"rate": -1.0}, {"hops": 0}, {"size": -1.0}, {"work": -1.0}, {"hottest": 1.1}]
)
def test_no_such_dance(wrong: dict[str, float]) -> None:
    """Refused with what is wrong."""
    with pytest.raises(ValueError, match=r"no such|share"):
        Workload(**({"rate": 1.0} | wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"cores": 0.0}, {"replication": 0}, {"full": 0.0}, {"full": 1.5}, {"days": 0.0}])
def test_no_such_ground(wrong: dict[str, float]) -> None:
    """The same."""
    with pytest.raises(ValueError, match=r"no such|planned"):
        Ground(**wrong)  # type: ignore[arg-type]
