"""One workflow's facts, in their order, as spans; remembers where each event came from, and who is in which group."""

from collections.abc import Iterator

from farandole.events.facts import EventRef, Fact, Place
from farandole.events.ids import root_span_id, twin_span_id
from farandole.fold.workflow import Workflow
from farandole.telemetry.spans import (
    CONFLICT,
    ENDINGS,
    Member,
    Origin,
    Span,
    attempt_span_id,
    delivery_of,
    origin_of,
    published,
    spans,
)
from farandole_observe.traces.inputs import Cited, Seen


class Strand:
    """What is known of a workflow. `folded`: the fold's own account of it; `cut`: attempts that lack their origin."""

    def __init__(self, workflow: Workflow) -> None:
        self.folded = workflow
        self.cut = 0
        self._origins: dict[tuple[str, str], Origin] = {}  # of events that a fact explains
        self._others: dict[Place, Origin] = {}
        self._groups: dict[tuple[str, str], dict[tuple[int, int], Member]] = {}
        self._twins: set[Place] = set()

    def lacks(self, fact: Fact) -> Cited | None:
        """The event whose record has to tell where the fact's event came from; None: it is known."""
        event = fact.event
        if event is None or (event.source, event.id) in self._origins or event.at in self._others:
            return None
        return Cited(event.source, event.id, event.at)

    def learn(self, cited: Cited, seen: Seen | None) -> None:
        """What its record says; None: it is gone."""
        self.cut += seen is None
        self._others[cited.place] = origin_of(None if seen is None else seen.traceparent, self.folded.id)

    def weave(self, fact: Fact) -> Iterator[Span]:
        """The spans of the next fact; what it lacks was learned before. One that names nothing gives none."""
        members = list[Member]()
        if fact.event is not None:
            origin = self._origin(fact.event)
            self._fill(fact, fact.event, origin)
        elif fact.group is not None:
            members = self._members(f"{fact.service}/{fact.step}", fact.group.id)
            origin = members[0].origin if members else self._root
            self.cut += fact.fact in ENDINGS and len(members) != fact.group.count
        else:
            return
        yield from spans(fact, origin, members)
        parent = Origin(self._parent(fact))
        for event_id, *_ in published(fact):
            self._origins[f"{fact.service}/{fact.step}", event_id] = parent

    @property
    def _root(self) -> Origin:
        return Origin(root_span_id(self.folded.id))

    def _origin(self, event: EventRef) -> Origin:
        return self._origins.get((event.source, event.id)) or self._others.get(event.at) or self._root

    def _members(self, step: str, group: str) -> list[Member]:
        slots = self._groups.get((step, group), {})
        return [slots[place] for place in sorted(slots)]

    def _fill(self, fact: Fact, event: EventRef, origin: Origin) -> None:
        """An event was put into a slot; the first one there stays, for a second is a conflict."""
        fills = fact.fills
        if fills is None or fills.absent or fact.reason == "closed" or not fills.size:
            return
        slots = self._groups.setdefault((f"{fact.service}/{fact.step}", fills.group), {})
        slots.setdefault((fills.param, fills.index), Member(event.id, origin))

    def _parent(self, fact: Fact) -> str:
        """The span that the records of what the fact published name; a twin's is its own, whatever is told of it."""
        if fact.event is not None and fact.reason == CONFLICT:
            self._twins.add(fact.event.at)
        if fact.event is not None and fact.event.at in self._twins:
            return twin_span_id(delivery_of(fact), fact.attempt, fact.event.at)
        return attempt_span_id(fact)
