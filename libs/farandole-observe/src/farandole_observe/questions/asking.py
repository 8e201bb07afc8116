"""`Picture`: the tables at one moment, with the topology that they were folded under and how old they are."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from farandole.events.errors import NotFound
from farandole.events.manifest import Manifest
from farandole.fold import Topology, WorkflowState
from farandole.fold.view import state_of
from farandole.fold.workflow import Shared, Workflow
from farandole_observe.questions import naming
from farandole_observe.store.loading import load
from farandole_observe.store.opening import Store
from farandole_observe.store.tables import deliveries, durations, manifests, shards


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old the tables are. `seen`: seconds since the epoch at which the shard that lags most lacked nothing of
    the log, 0.0 where it never did; `cut`: offsets of the log that were gone before they could be folded; `unknown`:
    facts that were not understood, as a newer version may write them.
    """

    seen: float
    cut: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Picture:
    """One consistent reading of the tables; every question is asked of one."""

    connection: AsyncConnection
    shared: Shared
    manifests: dict[str, Manifest]
    freshness: Freshness
    now: float
    undeclared: tuple[str, ...] = ()
    """Steps that facts tell of and no manifest: what they take, and which of their events are final, is not known."""

    @property
    def age(self) -> float | None:
        """Seconds since nothing of the log was lacking; None where that was never so."""
        return max(0.0, self.now - self.freshness.seen) if self.freshness.seen else None

    @property
    def topology(self) -> Topology:
        """What the manifests say."""
        return self.shared.topology

    @property
    def rounded_age(self) -> float | None:
        """The same, to the millisecond."""
        return None if self.age is None else round(self.age, 3)

    @property
    def standing(self) -> dict[str, Any]:
        """How old the tables are, and what they lack, as every answer says it in JSON."""
        gaps = {"cut": self.freshness.cut, "unknown": self.freshness.unknown, "undeclared": list(self.undeclared)}
        return {"age": self.rounded_age, "gaps": gaps}

    async def find(self, name: str) -> str:
        """The workflow that a name means. Raises NotFound, or BadInput where there are several."""
        return await naming.find(self.connection, name)

    async def workflow(self, workflow: str) -> Workflow:
        """All that the tables hold of one workflow. Raises NotFound."""
        for kept in await load(self.connection, [workflow], self.shared):
            if kept.workflow.counted:
                await self._note_dead({d.behind for d in kept.workflow.parked})
                return kept.workflow
        raise NotFound(f"no workflow {workflow[:80]!r} in this log")

    async def state(self, workflow: str) -> WorkflowState:
        """The same as the fold answers it. Raises NotFound."""
        return self.told(await self.workflow(workflow))

    def told(self, workflow: Workflow) -> WorkflowState:
        """What the fold says of a workflow."""
        return state_of(workflow, self.shared)

    async def _note_dead(self, behind: set[str]) -> None:
        """Whether something parked moves, another workflow's dead letter decides."""
        if behind:
            dead = select(deliveries.c.id).where(deliveries.c.id.in_(behind), deliveries.c.state == "dead")
            for delivery in (await self.connection.execute(dead)).scalars():
                self.shared.dead.setdefault(delivery, 1)


@asynccontextmanager
async def picture(store: Store, now: float) -> AsyncIterator[Picture]:
    """The tables as they are; `now` by the log's clock."""
    async with store.reading() as connection:
        found = [
            Manifest.model_validate_json(b) for b in (await connection.execute(select(manifests.c.body))).scalars()
        ]
        ages = (await connection.execute(select(shards.c.seen, shards.c.cut, shards.c.unknown))).all()
        oldest = min((age.seen for age in ages), default=now)
        freshness = Freshness(oldest, sum(age.cut for age in ages), sum(age.unknown for age in ages))
        topology = Topology.of(found)
        told = set((await connection.execute(select(durations.c.step).distinct())).scalars())
        undeclared = tuple(sorted(told - topology.steps.keys()))
        yield Picture(connection, Shared(topology), {m.key: m for m in found}, freshness, now, undeclared)
