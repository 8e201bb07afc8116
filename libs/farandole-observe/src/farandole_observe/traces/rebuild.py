"""The whole journal as spans, workflow by workflow, in one reading; what has ended is forgotten."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from farandole.events.facts import Fact
from farandole.events.ids import is_sampled, trace_id
from farandole.events.topics import JOURNAL
from farandole.fold import Topology
from farandole.fold.apply import apply_fact
from farandole.fold.workflow import Shared, Workflow
from farandole.log.manifests import read_manifests
from farandole.log.ports import Log
from farandole.log.reading import to_the_end
from farandole.log.record import Record
from farandole.telemetry.spans import Span
from farandole_observe.projector.sight import facts_of
from farandole_observe.traces.ends import end_of, has_ended, root_of
from farandole_observe.traces.inputs import Inputs
from farandole_observe.traces.weaving import Strand

_BATCH = 2_000  # records of one poll


@dataclass(slots=True)
class Told:
    """How much of a workflow was told. `ended`: its root span is among the spans."""

    spans: int = 0
    ended: bool = False


@dataclass(slots=True)
class Rebuild:
    """Reads a log. `ratio`: share of the workflows; `since`: only spans that ended then or later, in seconds.

    `told`: by workflow. `cut`: attempts whose origin the log does not hold any more; they hang on the root. `gone`:
    offsets of the journal that the log does not hold any more; what they told is not among the spans, nor is
    what this version does not understand: `unknown`.
    """

    log: Log
    ratio: float = 1.0
    since: float = 0.0
    told: dict[str, Told] = field(default_factory=dict)
    cut: int = 0
    gone: int = 0
    unknown: int = 0
    _shared: Shared = field(default_factory=Shared)
    _strands: dict[str, Strand] = field(default_factory=dict)

    async def spans(self) -> AsyncIterator[list[Span]]:
        """Batches of spans, of what was committed when this was called. Raises LogError."""
        self._shared = Shared(Topology.of(await read_manifests(self.log)))
        inputs = Inputs(self.log, self._shared.topology)
        self.gone = sum(span.start for span in (await self.log.spans([JOURNAL])).values())
        reader = await self.log.reader([JOURNAL])
        try:
            async for records in to_the_end(self.log, reader, [JOURNAL], limit=_BATCH):
                yield await self._read(inputs, records)
        finally:
            await reader.close()
            await inputs.close()

    async def _read(self, inputs: Inputs, records: Iterable[Record]) -> list[Span]:
        found, touched = list[Span](), dict[str, None]()
        for record in records:
            told = facts_of(record)
            self.unknown += told.unknown
            for fact in told.facts:
                if is_sampled(trace_id(fact.workflow), self.ratio):
                    touched[fact.workflow] = None
                    found += await self._weave(inputs, fact, record.time)
        for name in touched:
            found += await self._end(inputs, name)
        return found

    async def _weave(self, inputs: Inputs, fact: Fact, time: float) -> list[Span]:
        strand = self._strands.get(fact.workflow)
        if strand is None:
            strand = self._strands[fact.workflow] = Strand(Workflow(fact.workflow, started=time))
        cited = strand.lacks(fact)
        if cited is not None:
            strand.learn(cited, await inputs.look(cited))
        strand.folded.updated = max(strand.folded.updated, time)
        before = strand.cut
        found = self._wanted(fact.workflow, strand.weave(fact))
        self.cut += strand.cut - before
        apply_fact(strand.folded, fact, time, self._shared)
        return found

    async def _end(self, inputs: Inputs, name: str) -> list[Span]:
        """The root span of a workflow of which nothing is left; only then it is forgotten."""
        folded = self._strands[name].folded
        if not has_ended(folded, moves=folded.goes_on(self._shared)):
            return []
        del self._strands[name]
        end = end_of(folded, self._shared.topology)
        if end is None:
            return []
        found = self._wanted(name, [await root_of(end, inputs.look)])
        if found:
            told = self.told[name]
            told.spans -= told.ended  # the same span again: more came after what looked like the end
            told.ended = True
        return found

    def _wanted(self, name: str, spans: Iterable[Span]) -> list[Span]:
        found = [span for span in spans if span.finished >= self.since * 1e9]
        if found:
            self.told.setdefault(name, Told()).spans += len(found)
        return found
