"""What alive and ready mean: progress, not mere life; and able to hold work. Pure: told how steps stand, and when.

Waiting for the log (a commit, the rows of a partition) never makes a service count as dead: where the broker cannot
be reached, starting everything again would only make it worse.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from farandole.log.standing import Standing

LOOP_PATIENCE = 60.0  # seconds that the event loop may be held up
MARGIN = 30.0  # seconds beyond its declared timeout that an attempt may need until its end is known
STANDBY_AFTER = 10.0  # seconds after which one that got no partition is a standby: others hold them all


class Verdict(NamedTuple):
    """Whether it is so; where not, why, for people."""

    ok: bool
    reasons: tuple[str, ...] = ()


def verdict(reasons: Iterable[str]) -> Verdict:
    """Well, where there is no reason why not."""
    told = tuple(reasons)
    return Verdict(not told, told)


@dataclass(slots=True)
class _Step:
    standing: Standing
    since: float  # when its work last moved, or was not there


class Health:
    """Remembers when each step last moved. All times in seconds of one monotonic clock.

    `patience`: for so long nothing may move while work is there (longer where a step's declared timeout is).
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._looked: float | None = None
        self._steps: dict[str, _Step] = {}

    def look(self, standings: Iterable[Standing], now: float) -> None:
        """The event loop answered; so its steps stand."""
        self._looked = now
        for standing in standings:
            before = self._steps.get(standing.name)
            still = before is not None and before.standing.moves == standing.moves and _has_work(before.standing)
            self._steps[standing.name] = _Step(standing, before.since if before is not None and still else now)

    def seen(self, now: float) -> list[tuple[Standing, float]]:
        """How each step stood last, its lag as of now, and for how long its work has not moved."""
        found = []
        for step in self._steps.values():
            standing = step.standing
            if standing.in_flight:
                standing = standing._replace(lag=standing.lag + max(0.0, now - standing.moment))
            stalled = now - step.since if _has_work(standing) else 0.0
            found.append((standing, max(0.0, stalled)))
        return found

    def alive(self, now: float, *, draining: bool = False) -> Verdict:
        """Whether it makes progress, or has nothing to do. While it drains, only its event loop is looked at."""
        if self._looked is None:
            return Verdict(True)
        held_up = now - self._looked
        if held_up > min(self._patience, LOOP_PATIENCE):
            return Verdict(False, (f"the event loop has not answered for {held_up:.0f} s",))
        return verdict(r for s in self._steps.values() if (r := self._dead(s, now)) and not draining)

    def _dead(self, step: _Step, now: float) -> str:
        """Why a step makes no progress; empty where it does."""
        standing = step.standing
        limit = self._patience
        if standing.timeout is not None:
            limit = max(limit, standing.timeout + MARGIN)
        still = now - step.since
        if standing.running and still > limit:
            return f"{standing.name}: {standing.running} deliveries are to run, and none has ended for {still:.0f} s"
        if standing.unheld and still > limit:
            return (
                f"{standing.name}: {standing.in_flight} deliveries are in flight, and nothing moved for {still:.0f} s"
            )
        unpolled = now - max(standing.joined, standing.polled)
        if standing.joined and not standing.restoring and unpolled > self._patience:
            return f"{standing.name}: has not come back from a poll for {unpolled:.0f} s"
        return ""

    def ready(self, now: float, *, draining: bool = False) -> Verdict:
        """Whether every step holds partitions, or could, and nothing is being stopped."""
        if draining:
            return Verdict(False, ("draining: it is being stopped",))
        if not self._steps:
            return Verdict(False, ("starting: no step has joined its group",))
        waits = "waits for its first partitions"
        return verdict(
            f"{step.standing.name}: {waits}" for step in self._steps.values() if not _could_hold(step.standing, now)
        )


def _has_work(standing: Standing) -> bool:
    return bool(standing.running) or standing.unheld


def _could_hold(standing: Standing, now: float) -> bool:
    if standing.leases and not (standing.restoring and not standing.granted):
        return True
    stands_by = bool(standing.polled) and not standing.restoring and now - standing.joined > STANDBY_AFTER
    return standing.granted or stands_by
