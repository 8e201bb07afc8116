"""What is counted of commits: buckets, reasons, and the last workflow of each bucket."""

import random
from dataclasses import dataclass, field

from farandole.events.ids import is_sampled, trace_id
from farandole.log.hooks import Commit
from farandole.telemetry.tally import ENDINGS, OTHER, SECONDS, Spread, Tally


@dataclass
class Out:
    """An outcome as hooks are told of it."""

    ending: str = "completed"
    started: float = 0.0
    finished: float = 0.0
    reason: str = ""
    workflow: str = "w"
    records: list[object] = field(default_factory=list)
    sampled: bool | None = None


def committed(*outcomes: Out, records: int = 1, seconds: float = 0.01) -> Commit:
    return Commit("shop", "pack", records, seconds, outcomes)


def test_every_value_lies_in_the_bucket_whose_bound_it_does_not_pass() -> None:
    """As in Prometheus, where `le` is less or equal; what is above every bound is counted too."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    values = [*SECONDS, 0.0, 99.0, *(rng.expovariate(1.0) for _ in range(500))]
    spread = Spread(SECONDS)
    for value in values:
        spread.add(value)
    below = 0
    for bound, count in zip((*SECONDS, float("inf")), spread.counts, strict=True):
        below += count
        assert below == sum(value <= bound for value in values), (seed, bound)
    assert abs(spread.total - sum(values)) < 1e-6


def test_a_clock_that_was_set_back_takes_nothing_away() -> None:
    """A sum that falls would look like a restart."""
    spread = Spread(SECONDS)
    spread.add(-5.0)
    assert (spread.counts[0], spread.total) == (1, 0.0)


def test_a_commit_tells_all_that_ended_with_it() -> None:
    """What no code ran for has no duration; a dead letter has its reason."""
    tally = Tally()
    tally.add(
        committed(
            Out("completed", 100.0, 100.2, records=[1, 2], workflow="long"),
            Out("completed", 100.0, 100.01, workflow="short"),
            Out("completed"),
            Out("held"),
            Out("retrying", 100.0, 103.0),
            Out("dead", reason="undecodable", records=[1]),
            Out("dead", 100.0, 100.1, reason="terminal", records=[1]),
            records=20,
            seconds=0.3,
        )
    )
    assert {e: n for e, n in tally.outcomes.items() if n} == {"completed": 3, "held": 1, "retrying": 1, "dead": 2}
    assert {r: n for r, n in tally.dead.items() if n} == {"undecodable": 1, "terminal": 1}
    assert {e: sum(s.counts) for e, s in tally.durations.items()} == {"completed": 2, "retrying": 1, "dead": 1}
    assert tally.sent == 4
    assert (sum(tally.commits.counts), tally.commits.total, tally.sizes.total) == (1, 0.3, 20)
    assert {e.workflow for e in tally.durations["completed"].exemplars.values()} == {"long", "short"}


def test_a_reason_that_is_not_declared_is_another() -> None:
    """No reason from elsewhere makes a series."""
    tally = Tally()
    before = len(tally.dead)
    for number in range(100):
        tally.add(committed(Out("dead", reason=f"made up {number}")))
    assert (tally.dead[OTHER], len(tally.dead), set(tally.outcomes)) == (100, before, set(ENDINGS))


def test_only_workflows_that_are_traced_make_exemplars() -> None:
    """Whatever share that is; the counts are of all."""
    names = [f"w{n}" for n in range(300)]
    for ratio in (0.0, 0.3, 1.0):
        tally, found = Tally(ratio), set[str]()
        for name in names:
            tally.add(committed(Out(started=1.0, finished=2.0, workflow=name)))
            found |= {exemplar.workflow for exemplar in tally.durations["completed"].exemplars.values()}
        assert found == {name for name in names if is_sampled(trace_id(name), ratio)}
        assert tally.outcomes["completed"] == len(names)
