"""What was there at a time: told by the manifests of today, whatever was configured or deployed since then."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from math import inf
from typing import NamedTuple

from farandole.engines.memory.cluster import Cluster
from farandole.engines.memory.log import MemoryLog
from farandole.events.manifest import Configured, Manifest
from farandole.fold import canonical
from farandole.log.ports import Log
from farandole.log.record import NewRecord
from farandole.runtime.manifests import manifest_record
from farandole_observe.projector.replica import Replica
from farandole_observe.projector.sieve import Sieve
from farandole_observe.questions.asking import picture
from farandole_observe.store.opening import MEMORY, open_store
from libs.farandole.tests.unit.fold.choreographies import EARTH_OBSERVATION
from libs.farandole.tests.unit.fold.dance import Dance
from libs.farandole.tests.unit.fold.declared import service, step, take
from tests.observe import written
from tests.observe.projections import T0, HandClock


class Told(NamedTuple):
    """What is answered of a workflow."""

    status: str
    hash: str
    undeclared: tuple[str, ...]
    steps: frozenset[str]


async def told(log: Log, workflow: str, until: float = inf) -> Told:
    """As of then, from the log alone."""
    store = await open_store(MEMORY)
    replica = Replica(log, store, "past", Sieve(until=until))
    try:
        await replica.catch_up()
        async with picture(store, log.clock.now()) as seen:
            state = await seen.state(workflow)
            return Told(state.status, canonical(state), seen.undeclared, frozenset(seen.topology.steps))
    finally:
        await replica.close()
        await store.close()


@asynccontextmanager
async def half_way(manifests: Sequence[Manifest]) -> AsyncIterator[tuple[MemoryLog, HandClock, str, list[NewRecord]]]:
    """A log in which a scene came half-way ten seconds after these manifests; its workflow, and what is to come."""
    dance, clock = Dance(*EARTH_OBSERVATION, members=3), HandClock()
    workflow = dance.publish("scene.received", "s1", key="k1")
    dance.settle()
    _, *lines = written.lines_of(dance)
    records = [record for line in lines for record in line]
    log = MemoryLog(Cluster(clock=clock))
    try:
        first = [manifest_record(manifest) for manifest in manifests]
        await written.make_topics(log, [*first, *records])
        await log.append(first)
        clock.time = T0 + 10.0
        await log.append(records[: len(records) // 2])
        clock.time = T0 + 20.0
        yield log, clock, workflow, records[len(records) // 2 :]
    finally:
        await log.close()


def declared(at: float, begun: float | None) -> list[Manifest]:
    """The ten services."""
    return [manifest.model_copy(update={"at": at, "begun": begun}) for manifest in EARTH_OBSERVATION]


def configured(manifest: Manifest, at: float) -> Manifest:
    """The same version after its settings changed."""
    told = [Configured(since=manifest.at, values={"S": {"x": 1}}), Configured(since=at, values={"S": {"x": 2}})]
    steps = [one.model_copy(update={"configured": told}) for one in manifest.steps]
    return manifest.model_copy(update={"at": at, "steps": steps})


async def test_a_change_of_settings_takes_no_step_out_of_the_past() -> None:
    """Before it, at it and after it a half-way scene is what it was; a later one is complete."""
    for begun in (T0, None):  # None: as an older library has declared it
        manifests = declared(T0, begun)
        async with half_way(manifests) as (log, clock, workflow, rest):
            before = await told(log, workflow)
            assert (before.status, before.undeclared) == ("running", ())
            await log.append([manifest_record(configured(manifest, clock.time)) for manifest in manifests])
            clock.time = T0 + 30.0
            await log.append(rest)
            for moment in (T0 + 15.0, T0 + 20.0, T0 + 25.0):
                assert await told(log, workflow, moment) == before
            assert (await told(log, workflow, T0 + 30.0)).status == "complete"
            assert await told(log, workflow, T0 + 30.0) == await told(log, workflow)


async def test_a_version_that_came_later_was_not_there_before() -> None:
    """Neither the step that it adds, nor the end of the step that it leaves out."""
    async with half_way(declared(T0, T0)) as (log, clock, workflow, _):
        before = await told(log, workflow)
        mask = next(m for m in EARTH_OBSERVATION if m.service == "masking")
        sweep = service("masking", step("sweep", take("tile", "tile.calibrated"))).steps
        later = {"version": "2", "at": clock.time, "begun": clock.time, "steps": sweep}
        await log.append([manifest_record(mask.model_copy(update=later))])
        assert await told(log, workflow, T0 + 15.0) == before
        now = await told(log, workflow, T0 + 20.0)
        assert "masking/sweep" in now.steps
        assert "masking/sweep" not in before.steps
        assert now.hash != before.hash
