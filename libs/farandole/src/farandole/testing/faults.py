"""What befalls a rehearsal: which operation of which process suffers what, all of it drawn from one seed."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from farandole.engines.memory.cluster import Cluster
from farandole.engines.memory.faults import Stage
from farandole.events.errors import LogUnavailable

Kind = Literal["crash", "pause", "expiry", "error", "delay"]
_STAGES: tuple[Stage, ...] = ("before", "inside", "after")
_WRITES = frozenset({"append", "commit", "ensure", "subscribe", "release"})


@dataclass(frozen=True, slots=True)
class Faults:
    """How often what happens in a rehearsal, each at an operation on the log that the seed chooses.

    `crashes`: the process dies there, as by SIGKILL, and is started again within `down` seconds. `pauses`: it
    stands still for up to `stall` seconds, as by SIGSTOP; beyond the lease it wakes up as a zombie. `expiries`:
    its leases run out while it works, so that others are given what it has not committed. `errors`: the
    operation fails, half of them after it took effect, and the process ends. `delays`: it takes up to `stall`
    seconds. `duplicates`: the share of published events that come twice. `spread`: the first so many operations
    of all processes together among which the others are spread.
    """

    crashes: int = 3
    pauses: int = 1
    expiries: int = 1
    errors: int = 1
    delays: int = 2
    duplicates: float = 0.2
    spread: int = 400
    down: float = 8.0
    stall: float = 12.0


class Mortals(Protocol):
    """Who can be made to suffer."""

    def kill(self, name: str, *, back_after: float) -> None:
        """The process of this name dies now, and is started again after so many seconds."""
        ...


class Storm:
    """Counts the operations of all processes; where the seed says so, the one that comes next suffers."""

    def __init__(self, faults: Faults | None, seed: int | None, cluster: Cluster, mortals: Mortals) -> None:
        self._faults = faults or Faults(0, 0, 0, 0, 0, 0.0)
        self._draw = random.Random(f"storm/{seed}")
        self._cluster, self._mortals = cluster, mortals
        self._count = 0
        self._begun = False
        self._due = self._drawn()
        self.happened: list[str] = []

    def _drawn(self) -> list[tuple[int, Kind]]:
        wanted: list[tuple[Kind, int]] = [
            ("crash", self._faults.crashes),
            ("pause", self._faults.pauses),
            ("expiry", self._faults.expiries),
            ("error", self._faults.errors),
            ("delay", self._faults.delays),
        ]
        drawn = [(self._draw.randint(1, self._faults.spread), kind) for kind, count in wanted for _ in range(count)]
        return sorted(drawn, reverse=True)

    def begin(self) -> None:
        """Operations count from now on."""
        self._begun = True

    def calm(self) -> None:
        """Nothing happens from now on."""
        self._due.clear()
        self._cluster.faults = None

    def twice(self) -> bool:
        """Whether an event that is published comes twice."""
        return self._draw.random() < self._faults.duplicates

    def within(self, seconds: float) -> float:
        """Some time up to so many seconds."""
        return self._draw.uniform(0.0, seconds)

    def passing(self, process: str, operation: str) -> None:
        """A process begins an operation; called before any stage of it."""
        self._count += self._begun
        if not self._due or self._due[-1][0] > self._count or self._cluster.faults is not None:
            return
        _, kind = self._due.pop()
        self.happened.append(f"{self._count}: {kind} of {process} at {operation}")
        if kind == "pause":
            self._cluster.pause(process)
            delay = self.within(self._faults.stall)
            asyncio.get_running_loop().call_later(delay, self._cluster.resume, process)
        elif kind == "expiry":
            self._cluster.expire(process)
        else:
            stage = self._draw.choice(_STAGES)
            if kind == "error" and operation not in _WRITES:
                stage = "before"
            self._cluster.faults = _Once(self._cluster, (process, operation, stage), self._suffer(kind, process))

    def _suffer(self, kind: Kind, process: str) -> Callable[[], float]:
        back_after, stall = self.within(self._faults.down), self.within(self._faults.stall)

        def crash() -> float:
            self._mortals.kill(process, back_after=back_after)
            return 0.0

        def error() -> float:
            raise LogUnavailable("the log does not answer (a fault of the rehearsal)")

        def delay() -> float:
            return stall

        return {"crash": crash, "error": error, "delay": delay}[kind]


class _Once:
    """Befalls one operation of one handle at one stage, and takes itself away."""

    def __init__(self, cluster: Cluster, point: tuple[str, str, Stage], suffer: Callable[[], float]) -> None:
        self._cluster, self._point, self._suffer = cluster, point, suffer

    async def point(self, handle: str, operation: str, stage: Stage) -> None:
        """As `engines.memory.faults.Faults` says."""
        if (handle, operation, stage) == self._point and self._cluster.faults is self:
            self._cluster.faults = None
            await asyncio.sleep(self._suffer())
