"""Root spans: by the projector that folds an end, and by a rebuild, alike."""

import pytest

from farandole.events import ids
from farandole.log.ports import Log
from farandole.telemetry.spans import Span
from farandole_observe.projector.replica import Replica
from farandole_observe.store.opening import MEMORY, open_store
from farandole_observe.traces.rebuild import Rebuild
from farandole_observe.traces.roots import Roots
from libs.farandole.tests.unit.fold.choreographies import NESTED, operate
from libs.farandole.tests.unit.fold.dance import Dance
from tests.observe import written
from tests.observe.given import opened


async def emitted(log: Log, ratio: float = 1.0) -> list[Span]:
    """What a projector emits that folds the log from its beginning, each once."""
    found: list[Span] = []
    store, roots = await open_store(MEMORY), Roots(log, found.append, ratio)
    try:
        replica = Replica(log, store, "one", ended=roots.ended)
        await replica.catch_up()
        await replica.close()
        await roots.drain()
    finally:
        await store.close()
    assert roots.dropped == 0
    return sorted(dict.fromkeys(map(repr, found)))  # type: ignore[arg-type]  # by their text, for maps do not hash


async def rebuilt(log: Log, ratio: float = 1.0) -> list[Span]:
    """The same of a rebuild."""
    found = [span async for spans in Rebuild(log, ratio).spans() for span in spans]
    return sorted({repr(span) for span in found if not span.parent})  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ratio", [0.5, 1.0])
async def test_a_projector_and_a_rebuild_tell_the_same_ends(seed: int, ratio: float) -> None:
    """Of every workflow that is complete, and of no other, by the share that is sampled."""
    dance = written.played(seed)
    records = written.shuffled(written.lines_of(dance), seed)
    async with opened() as (log, _):
        await written.make_topics(log, records)
        await log.append(records)
        ends = await rebuilt(log, ratio)
        assert await emitted(log, ratio) == ends
        complete = {w.workflow for w in dance.fold().workflows() if w.status == "complete"}
        assert len(ends) == sum(ids.is_sampled(ids.trace_id(flow), ratio) for flow in complete)
        assert complete


async def test_a_workflow_that_waits_has_no_root_yet_and_then_has_one() -> None:
    """Its spans name it all the same."""
    dance = Dance(*NESTED)
    flow = dance.publish("job.given", "j")
    dance.settle(3)
    before = written.lines_of(dance)
    operate(dance)
    async with opened() as (log, _):
        await written.make_topics(log, [record for line in written.lines_of(dance) for record in line])
        await log.append([record for line in before for record in line])
        assert await rebuilt(log) == await emitted(log) == []
        told = Rebuild(log)
        tops = {span.parent async for spans in told.spans() for span in spans} - {""}
        assert ids.root_span_id(flow) in tops
    async with opened() as (log, _):
        records = [record for line in written.lines_of(dance) for record in line]
        await written.make_topics(log, records)
        await log.append(records)
        assert len(await emitted(log)) == 1
