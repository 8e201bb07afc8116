"""One shard: the workflows of one partition of the journal, folded batch by batch, each batch in one transaction."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from farandole.events.errors import Fenced
from farandole.events.topics import JOURNAL, MANIFESTS
from farandole.fold import Topology
from farandole.fold.apply import apply_fact, apply_input
from farandole.fold.state import Touched
from farandole.fold.workflow import Shared, Workflow
from farandole.log.record import TopicPartition
from farandole_observe.projector.sight import Facts, Input
from farandole_observe.projector.standing import digest
from farandole_observe.projector.tally import Tallies
from farandole_observe.store import shards, tables
from farandole_observe.store.bulk import upsert
from farandole_observe.store.loading import load
from farandole_observe.store.opening import Store
from farandole_observe.store.rows import Kept, Rows, changed_rows, let_go
from farandole_observe.store.shards import Turn

Ended = Callable[[Workflow, Topology], None]
"""Told of a workflow of which nothing is left, each time that something of it was folded."""


class Shard:
    """What one replica does while a shard is its own. Every method may raise SQLAlchemyError.

    `positions`: per partition the first offset that is not folded yet. `room`: for so many events of workflows under
    way in memory; the rest is read again when it is needed.
    """

    def __init__(
        self, store: Store, turn: Turn, positions: Mapping[TopicPartition, int], ended: Ended | None = None
    ) -> None:
        self.turn, self._ended = turn, ended
        self.room = 0
        self.positions = dict(positions)
        self._store = store
        self._shared = Shared()
        self._digest = digest(self._shared.topology)
        self._stale = True  # some workflow may be counted under another topology
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._events = 0

    def declare(self, topology: Topology) -> None:
        """The topology is now this one; workflows are counted anew as they come by, or by `recount`."""
        if topology != self._shared.topology:
            self._shared.topology = topology
            self._shared.epoch += 1
            self._digest = digest(topology)
            self._stale = True

    async def hold(self, connection: AsyncConnection, *, until: float, seen: float | None = None) -> None:
        """Keep the shard, within a transaction. Raises Fenced where another has taken it."""
        if not await shards.hold(connection, self.turn, until=until, seen=seen):
            raise Fenced(f"shard {self.turn.shard} of the projection is another replica's now")

    def is_behind(self, place: TopicPartition, following: int) -> bool:
        """Whether what stands before `following` in a partition is not all folded yet, as far as it is the shard's."""
        topic, partition = place
        mine = topic != MANIFESTS and (topic != JOURNAL or partition == self.turn.shard)
        return mine and following > self.positions.get(place, 0)

    async def fold(self, found: Sequence[Facts | Input], after: Mapping[TopicPartition, int], *, until: float) -> None:
        """Fold what was read into the tables; `after`: the positions behind it, `until`: the shard is held.

        Raises Fenced where another has the shard now; then nothing was written, and this one is of no use any more.
        """
        names = {fact.workflow for one in found if isinstance(one, Facts) for fact in one.facts}
        names.update(one.workflow for one in found if isinstance(one, Input))
        async with self._store.writing() as connection:
            await self.hold(connection, until=until)
            await self._fetch(connection, names)
            tallies = self._apply(found)
            await self._write(connection, names)
            await tallies.write(connection, self.turn.shard)
            if unknown := sum(one.unknown for one in found if isinstance(one, Facts)):
                await shards.note_unknown(connection, self.turn, unknown)
            places = [(self.turn.shard, *place, following) for place, following in after.items()]
            await upsert(connection, tables.positions, places)
        self.positions |= after
        self._shrink(names)

    async def recount(self, limit: int, *, until: float) -> int:
        """Count anew at most `limit` workflows that were counted under another topology; how many there were."""
        if not self._stale:
            return 0
        t = tables.workflows
        stale = select(t.c.workflow).where(t.c.shard == self.turn.shard, t.c.topology != self._digest).limit(limit)
        async with self._store.writing() as connection:
            await self.hold(connection, until=until)
            names = set((await connection.execute(stale)).scalars())
            await self._fetch(connection, names)
            for name in names:
                self._count_anew(self._kept[name].workflow)
            await self._write(connection, names)
        self._shrink(names)
        self._stale = len(names) == limit
        return len(names)

    # -- folding --------------------------------------------------------------------------------------------

    async def _fetch(self, connection: AsyncConnection, names: Collection[str]) -> None:
        """Have in memory what the tables know of these workflows."""
        for kept in await load(connection, names - self._kept.keys(), self._shared):
            self._kept[kept.workflow.id] = kept
            self._events += len(kept.workflow.nodes)

    def _apply(self, found: Iterable[Facts | Input]) -> Tallies:
        tallies = Tallies()
        for one in found:
            time = one.record.time
            if isinstance(one, Input):
                apply_input(self._workflow(one.workflow, time), one.envelope, one.record.place, time, self._shared)
                continue
            tallies.add(one.facts)
            for fact in one.facts:
                apply_fact(self._workflow(fact.workflow, time), fact, time, self._shared)
        return tallies

    def _workflow(self, name: str, time: float) -> Workflow:
        kept = self._kept.get(name)
        if kept is None:
            workflow = Workflow(name, started=time, epoch=self._shared.epoch, touched=Touched())
            kept = self._kept[name] = Kept(workflow, self.turn.shard)
        workflow = kept.workflow
        workflow.started, workflow.updated = min(workflow.started, time), max(workflow.updated, time)
        return workflow

    def _count_anew(self, workflow: Workflow) -> None:
        for node in workflow.nodes.values():
            workflow.withdraw(node)
            workflow.enter(node, self._shared.topology)
        for gathering in workflow.gatherings.values():
            if gathering.standing == "owed":  # tables of before revision 0004 lack what it owes
                workflow.restand(gathering)
        workflow.epoch = self._shared.epoch

    async def _write(self, connection: AsyncConnection, names: Iterable[str]) -> None:
        rows: Rows = {}
        gone: list[tuple[str, int]] = []
        for name in sorted(names):
            kept = self._kept[name]
            before = kept.events
            kept.workflow.refresh(self._shared)
            changed, owed_no_more = changed_rows(kept, self._shared, self._digest)
            self._events += kept.events - before
            gone.extend(owed_no_more)
            for table, some in changed.items():
                rows.setdefault(table, []).extend(some)
        t = tables.deliveries
        for workflow, number in gone:
            await connection.execute(delete(t).where(t.c.workflow == workflow, t.c.delivery == number))
        for table, some in rows.items():
            await upsert(connection, table, some)

    def _shrink(self, names: Iterable[str]) -> None:
        """Keep in memory what is under way, the last used ones."""
        for name in names:
            kept = self._kept[name]
            if kept.workflow.standing(moves=kept.workflow.goes_on(self._shared)) == "complete":
                if self._ended is not None and kept.workflow.counted:
                    self._ended(kept.workflow, self._shared.topology)
                self._drop(name)
            else:
                self._kept.move_to_end(name)
        while self._events > self.room and len(self._kept) > 1:
            self._drop(next(iter(self._kept)))

    def _drop(self, name: str) -> None:
        kept = self._kept.pop(name)
        self._events -= len(kept.workflow.nodes)
        let_go(kept, self._shared)
