"""Alive is progress, ready is able to hold work; told by how steps stand and a clock that the test moves."""

from typing import Any

import pytest

from farandole.log.standing import ROWS, Standing
from farandole.telemetry.health import LOOP_PATIENCE, MARGIN, STANDBY_AFTER, Health

PATIENCE = 100.0


def standing(**said: Any) -> Standing:
    """A step that holds a partition and has nothing to do."""
    plain: dict[str, Any] = dict.fromkeys(Standing._fields, 0)
    plain |= {"service": "shop", "step": "pack", "version": "1", "concurrency": 1, "timeout": None}
    plain |= {"granted": True, "restoring": False, "unheld": False, "leases": 1, "rows": dict.fromkeys(ROWS, 0)}
    return Standing(**plain | said)


def looked(health: Health, until: float, *, since: float = 0.0, **said: Any) -> None:
    """A look each second; polls go on unless `polled` is said."""
    now = since
    while now <= until:
        health.look([standing(**{"joined": 1.0, "polled": now, "moment": now} | said)], now)
        now += 1.0


def test_who_has_nothing_to_do_is_alive_however_long() -> None:
    """Nothing moves there, and nothing has to; a retry that is due tomorrow is nothing to do now."""
    health = Health(PATIENCE)
    looked(health, 10 * PATIENCE)
    looked(health, 20 * PATIENCE, since=10 * PATIENCE, rows=dict.fromkeys(ROWS, 5), groups=3)
    assert health.alive(20 * PATIENCE).ok
    assert [stalled for _, stalled in health.seen(20 * PATIENCE)] == [0.0]


def test_work_that_does_not_move_is_death_and_one_move_is_life_again() -> None:
    """Counted from when the work came, not from the last move before it."""
    health = Health(PATIENCE)
    looked(health, 500.0, moves=7)
    looked(health, 500.0 + PATIENCE, since=501.0, moves=7, running=2)
    assert health.alive(500.0 + PATIENCE).ok
    looked(health, 502.0 + PATIENCE, since=501.0 + PATIENCE, moves=7, running=2)
    dead = health.alive(502.0 + PATIENCE)
    assert not dead.ok
    assert dead.reasons == ("shop/pack: 2 deliveries are to run, and none has ended for 101 s",)
    looked(health, 503.0 + PATIENCE, since=503.0 + PATIENCE, moves=8, running=1)
    assert health.alive(503.0 + PATIENCE).ok


def test_an_attempt_within_its_declared_timeout_is_progress() -> None:
    """However long that is; past it, with what its end may take, it is not."""
    health = Health(PATIENCE)
    limit = 1000.0 + MARGIN
    looked(health, limit, running=1, timeout=1000.0)
    assert health.alive(limit).ok
    looked(health, limit + 2.0, since=limit + 1.0, running=1, timeout=1000.0)
    assert not health.alive(limit + 2.0).ok


def test_work_that_nobody_has_is_found() -> None:
    """Neither a runner nor a commit nor a timer: then it would stay so for ever."""
    health = Health(PATIENCE)
    looked(health, PATIENCE + 1.0, unheld=True, in_flight=3)
    assert "3 deliveries are in flight" in health.alive(PATIENCE + 1.0).reasons[0]


def test_waiting_for_the_log_is_never_death() -> None:
    """A commit that does not return, rows that cannot be read: a restart would not help."""
    health = Health(PATIENCE)
    looked(health, 10 * PATIENCE, in_flight=1000, lag=50.0)  # all ended, the commit is under way
    assert health.alive(10 * PATIENCE).ok
    looked(health, 20 * PATIENCE, since=10 * PATIENCE, restoring=True, polled=5.0)
    assert health.alive(20 * PATIENCE).ok


def test_a_member_that_comes_back_from_no_poll_is_dead() -> None:
    """A poll returns within a second, with the broker or without."""
    health = Health(PATIENCE)
    looked(health, PATIENCE, polled=1.0)
    assert health.alive(PATIENCE).ok
    looked(health, 2 * PATIENCE, since=PATIENCE, polled=1.0)
    assert "has not come back from a poll" in health.alive(2 * PATIENCE).reasons[0]


def test_an_event_loop_that_answers_no_more_is_dead() -> None:
    """Nothing else is known then; its lag grows all the same."""
    health = Health(PATIENCE)
    assert health.alive(10_000.0).ok  # it has not begun
    looked(health, 10.0, in_flight=1, lag=2.0)
    assert health.alive(10.0 + LOOP_PATIENCE).ok
    assert "the event loop has not answered" in health.alive(11.0 + LOOP_PATIENCE).reasons[0]
    assert [found.lag for found, _ in health.seen(30.0)] == [22.0]


def test_what_drains_is_alive_and_not_ready() -> None:
    """It has its grace; whoever watches is not to kill it sooner."""
    health = Health(PATIENCE)
    looked(health, 3 * PATIENCE, running=1, polled=1.0)
    assert health.alive(3 * PATIENCE, draining=True).ok
    assert health.ready(3 * PATIENCE, draining=True).reasons == ("draining: it is being stopped",)


@pytest.mark.parametrize(
    ("said", "ready"),
    [
        ({"leases": 0, "granted": False}, False),  # joined, and nothing was assigned yet
        ({"leases": 1, "granted": False, "restoring": True}, False),  # the first one is being read
        ({"leases": 1}, True),
        ({"leases": 3, "restoring": True}, True),  # one more
        ({"leases": 0}, True),  # others have them now
        ({"leases": 0, "granted": False, "joined": 1.0, "polled": 99.0}, True),  # a standby
        ({"leases": 0, "granted": False, "joined": 0.0, "polled": 0.0}, False),
    ],
)
def test_ready_is_who_holds_work_or_could(said: dict[str, Any], ready: bool) -> None:
    health = Health(PATIENCE)
    health.look([standing(**{"joined": 99.0, "polled": 99.0} | said)], 100.0)
    assert health.ready(100.0).ok is ready
    assert STANDBY_AFTER < 99.0


def test_before_any_step_joined_it_is_not_ready_and_one_that_waits_is_named() -> None:
    health = Health(PATIENCE)
    assert not health.ready(1.0).ok
    health.look([standing(), standing(step="label", granted=False, leases=0)], 1.0)
    assert health.ready(1.0).reasons == ("shop/label: waits for its first partitions",)
