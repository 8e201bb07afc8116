"""What the model of services at work knows: events, deliveries that have not ended, and what is being gathered."""

from collections import Counter
from dataclasses import dataclass, field

from farandole.events.facts import Place
from farandole.events.ids import Derivation, Parent
from farandole.events.scope import Scope


@dataclass(eq=False)
class Ev:
    """A published event or absence."""

    source: str
    id: str
    type: str
    workflow: str
    scope: Scope
    at: Place
    time: float
    key: str | None = None
    absent: int = 0
    pending: bool = False


@dataclass(eq=False)
class Owed:
    """A delivery that has not ended."""

    step: str
    event: Ev | None = None
    group: "Gathered | None" = None
    attempt: int = 1
    retrying: bool = False
    again: bool = False  # of an event that was published before: a second death repeats its pending absence

    @property
    def workflow(self) -> str:
        if self.event is not None:
            return self.event.workflow
        assert self.group is not None
        return self.group.workflow

    @property
    def scope(self) -> Scope:
        if self.event is not None:
            return self.event.scope
        assert self.group is not None
        return self.group.scope

    def ids(self) -> Derivation:
        if self.event is not None:
            return Derivation([Parent(self.event.source, self.event.id)], self.step)
        assert self.group is not None
        parents = [Parent(e.source, e.id) for (_, _), e in sorted(self.group.slots.items()) if not e.absent]
        return Derivation(parents, self.step, group=self.group.key)


@dataclass(eq=False)
class Gathered:
    """What a step gathers: slots by (parameter, index)."""

    key: str
    workflow: str
    scope: Scope
    sizes: dict[int, int] = field(default_factory=dict)
    slots: dict[tuple[int, int], Ev] = field(default_factory=dict)
    closed: bool = False

    def full(self, sides: int) -> bool:
        firm = Counter(param for (param, _), event in self.slots.items() if not event.pending)
        return len(self.sizes) == sides and all(firm[p] == size for p, size in self.sizes.items())
