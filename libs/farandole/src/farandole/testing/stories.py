"""The story of each delivery: the facts about one record, or one group, at one step, in their order."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from farandole.events.facts import Fact
from farandole.events.ids import Derivation, Parent

Standing = Literal["owed", "ended", "dead", "parked"]
_ENDS = frozenset({"completed", "held", "discarded", "cancelled"})
_ALLOWED: dict[Standing, frozenset[str]] = {
    "owed": frozenset({"retrying", "parked", "dead", "completed", "held", "cancelled"}),
    "parked": frozenset({"retrying", "parked", "dead", "completed", "held", "cancelled"}),
    "dead": frozenset({"redriven", "discarded", "cancelled"}),
    "ended": frozenset(),
}
_NEXT: dict[str, Standing] = {"parked": "parked", "dead": "dead", "retrying": "owed", "redriven": "owed"}


class Told(NamedTuple):
    """A fact and where it stands: time of its journal record, journal partition, offset, index in the record."""

    fact: Fact
    time: float
    place: tuple[int, int, int]

    @property
    def step(self) -> str:
        """`service/step`."""
        return f"{self.fact.service}/{self.fact.step}"

    @property
    def delivery(self) -> str:
        """Id of the delivery that it is about."""
        fact = self.fact
        if fact.group is not None:
            return fact.group.delivery
        parents = () if fact.event is None else (Parent(fact.event.source, fact.event.id),)
        return Derivation(parents, self.step, fact.generation).delivery


@dataclass(frozen=True)
class Story:
    """`of`: the place of the event's record (topic, partition, offset), or the group's id."""

    step: str
    of: Hashable
    told: list[Told]

    @property
    def name(self) -> str:
        """For people: the step, and the event or group."""
        event = self.told[0].fact.event
        what = f"event {event.source} {event.id} of {event.at}" if event is not None else f"group {self.of}"
        return f"{self.step}: {what}"

    @property
    def standing(self) -> Standing:
        """Where it stands after the last fact."""
        last = self.told[-1].fact.fact
        return "ended" if last in _ENDS else _NEXT[last]

    @property
    def end(self) -> Told | None:
        """The fact that ended it."""
        return self.told[-1] if self.standing == "ended" else None

    def breaks(self) -> Iterator[str]:
        """Facts that could not follow what stood before them."""
        standing: Standing = "owed"
        for told in self.told:
            kind = told.fact.fact
            if kind not in _ALLOWED[standing]:
                yield f"{self.name}: {kind} (attempt {told.fact.attempt}) after it was {standing}"
            standing = "ended" if kind in _ENDS else _NEXT[kind]


def stories_of(journal: Iterable[Told]) -> dict[tuple[str, Hashable], Story]:
    """Every delivery of which the journal tells, by step and what it is of."""
    found: dict[tuple[str, Hashable], list[Told]] = defaultdict(list)
    for told in journal:
        fact = told.fact
        if fact.fact == "continued":
            continue
        if fact.group is not None:
            found[told.step, (fact.group.id, fact.generation)].append(told)
        elif fact.event is not None:
            found[told.step, (*fact.event.at, fact.generation)].append(told)
    return {(step, of): Story(step, of, facts) for (step, of), facts in found.items()}
