"""The events of a workflow with their data, read back from the topics where they stand."""

from collections import defaultdict
from collections.abc import Iterable

from farandole.events.attributes import read_type
from farandole.events.codec import decode
from farandole.events.envelope import Envelope
from farandole.events.errors import DecodeError
from farandole.events.ids import Parent
from farandole.events.scope import read_scope
from farandole.fold import EventView, WorkflowState
from farandole.log.partitioner import partition_of
from farandole.log.places import records_at
from farandole.log.ports import Log
from farandole.log.reading import to_the_end
from farandole.log.record import Place, Record

_BATCH = 1000


async def envelopes(log: Log, state: WorkflowState) -> list[Envelope]:
    """Every event in causal order; data is empty (no JSON is) where the log does not keep the record any more."""
    found: dict[Parent, Envelope] = {}
    elsewhere: dict[str, list[EventView]] = defaultdict(list)
    for view in state.events:
        if view.place is None:
            elsewhere[view.topic].append(view)
    async for record in records_at(log, (Place(*view.place) for view in state.events if view.place is not None)):
        _note(record, found)
    for topic, views in elsewhere.items():
        wanted = {Parent(view.source, view.id) for view in views}
        await _search(log, topic, views, wanted=wanted, since=state.summary.started, found=found)
    return [found.get(Parent(view.source, view.id)) or _without_data(view, state.workflow) for view in state.events]


async def _search(
    log: Log,
    topic: str,
    views: Iterable[EventView],
    *,
    wanted: set[Parent],
    since: float,
    found: dict[Parent, Envelope],
) -> None:
    """Nobody took these, so no fact tells their place: read the topic from the workflow's start on."""
    spans = await log.spans([topic])
    keys = [view.key for view in views]
    numbers = {partition_of(key.encode(), len(spans)) for key in keys if key is not None}
    if None in keys:
        numbers = {number for _, number in spans}
    start = {(topic, n): span.end for (_, n), span in spans.items()}
    for number in numbers:
        start[topic, number] = await log.offset_at(topic, number, since)
    reader = await log.reader([topic], start)
    try:
        async for records in to_the_end(log, reader, [topic], limit=_BATCH):
            for record in records:
                identity = _note(record, found, wanted)
                wanted.discard(identity or Parent("", ""))
            if not wanted:
                break
    finally:
        await reader.close()


def _note(record: Record, found: dict[Parent, Envelope], wanted: set[Parent] | None = None) -> Parent | None:
    try:
        envelope = decode(record.key, record.value, record.headers)
    except DecodeError:
        return None
    if wanted is None or envelope.identity in wanted:
        found.setdefault(envelope.identity, envelope)
    return envelope.identity


def _without_data(view: EventView, workflow: str) -> Envelope:
    name, version = read_type(view.type) if view.type else ("", 1)
    return Envelope(
        id=view.id,
        source=view.source,
        type=name,
        version=version,
        data=b"",
        key=view.key,
        workflow=workflow,
        cause=view.cause or None,
        scope=read_scope(view.scope),
    )
