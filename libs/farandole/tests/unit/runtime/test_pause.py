"""A partition with too many delayed or parked deliveries stops polling its topic, says so, and goes on later."""

import pytest

from farandole.events.event import Event
from farandole.runtime import worker as worker_module
from farandole.runtime.context import Context
from farandole.runtime.declare import Service
from farandole.runtime.retry import Retry
from farandole.testing import Rehearsal, check

LIMIT = 40


class Job(Event, type="pause.job", key="k"):
    k: str
    bad: bool = False


class Ready(Event, type="pause.ready", key="k", final=True):
    k: str


service = Service("pause", accepts=[Job])


@service.step(retry=Retry(attempts=2, delay="1h", max_delay="1h", jitter=0.0))
def do(job: Job, ctx: Context) -> Ready:
    if job.bad or ctx.attempt == 1:
        raise OSError("not yet")
    return Ready(k=job.k)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "ROWS_LIMIT", LIMIT)
    monkeypatch.setattr(worker_module, "POLL", 10)


def _owed(r: Rehearsal) -> int:
    return sum(bool(row.value) for row in r.history().records["pause.do.state"] if (row.key or b"")[:2] == b"d:")


def test_it_stops_at_the_limit_shows_its_lag_and_ends_all_of_it_in_the_end() -> None:
    """Neither rows nor memory grow with what arrives."""
    with Rehearsal(service, seed=None, partitions=1) as r:
        for n in range(4 * LIMIT):
            r.publish(Job(k=f"{n}"))
        r.advance("10m")
        assert LIMIT <= _owed(r) <= LIMIT + 10
        position = r.history().committed["pause/do"]["pause.job", 0]
        assert position <= LIMIT + 10
        r.settle()
        assert len(r.events(Ready)) == 4 * LIMIT
        assert check(r.history()) == []


def test_its_inbox_is_polled_all_the_same_and_dead_letters_do_not_count() -> None:
    """Else an operator could not help; and what is set aside delays nobody."""
    with Rehearsal(service, seed=None, partitions=1) as r:
        for n in range(LIMIT + 20):
            r.publish(Job(k=f"bad-{n}", bad=True))
        r.publish(Job(k="good"))
        r.settle()
        assert len(r.dead_letters()) == LIMIT + 20
        assert r.events(Ready) == [Ready(k="good")]
        for n in range(LIMIT + 5):
            r.publish(Job(k=f"{n}"))
        r.advance("10m")
        r.discard(*r.dead_letters()[:3])
        r.advance("1m")
        assert len(r.dead_letters()) == LIMIT + 17
        r.settle()
        assert len(r.events(Ready)) == LIMIT + 6


def test_a_take_over_keeps_the_pause() -> None:
    """Rows are restored before the first poll, and counted."""
    with Rehearsal(service, seed=None, partitions=1) as r:
        for n in range(3 * LIMIT):
            r.publish(Job(k=f"{n}"))
        r.advance("10m")
        r.kill("pause")
        r.restart("pause")
        r.advance("10m")
        assert LIMIT <= _owed(r) <= LIMIT + 20
        r.settle()
        assert len(r.events(Ready)) == 3 * LIMIT
