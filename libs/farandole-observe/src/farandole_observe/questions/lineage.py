"""`Lineage`: what made each event of a workflow, out of which others, and which of them no product came of."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from farandole.events.ids import Parent
from farandole.fold import EventView
from farandole.fold.apply import event_delivery
from farandole.fold.state import Attempt, Delivery, Gathering, Node
from farandole.fold.view import event_view, in_causal_order
from farandole.fold.workflow import Workflow

Role = Literal["product", "used", "nowhere"]
"""product: an event that no step takes. used: a product came of it, or came about without it, where it is an
absence. nowhere: neither, or not yet."""


@dataclass(frozen=True, slots=True)
class Making:
    """A delivery and what came of it. `took`, `gave`: numbers of events. `state`: where the delivery stands.

    `attempts`: all that ran, in their order; empty where nothing had to run, as for an absence that is handed on.
    """

    step: str
    delivery: str
    group: str
    generation: int
    state: str
    took: tuple[int, ...]
    gave: tuple[int, ...]
    attempts: tuple[Attempt, ...]

    @property
    def last(self) -> Attempt | None:
        """The attempt that counts."""
        return self.attempts[-1] if self.attempts else None


@dataclass(frozen=True, slots=True)
class Made:
    """An event with its place in the lineage. `by`: number of the making, None of an input (and of what has lost
    its beginning). `fates`: how the deliveries of it stand, by step; `taken`: numbers of the makings that took it.
    """

    view: EventView
    role: Role
    by: int | None
    taken: tuple[int, ...]
    fates: tuple[tuple[str, str], ...]

    @property
    def identity(self) -> Parent:
        """Source and id."""
        return Parent(self.view.source, self.view.id)


@dataclass(frozen=True, slots=True)
class Lineage:
    """Every event of a workflow in causal order, and every making; both are known by their numbers."""

    workflow: str
    events: tuple[Made, ...]
    makings: tuple[Making, ...]

    @property
    def tips(self) -> tuple[int, ...]:
        """The numbers of events of which nothing was made (yet), or absences only."""
        return tuple(n for n, made in enumerate(self.events) if not made.view.absent and self._ends(n))

    @property
    def products(self) -> tuple[int, ...]:
        """The numbers of what no step takes."""
        return tuple(n for n, made in enumerate(self.events) if made.role == "product")

    def within(self, events: Collection[int]) -> tuple[int, ...]:
        """The numbers of the makings that gave nothing but these events, and were given some of them."""
        there = frozenset(events)
        tied = enumerate(self.makings)
        return tuple(n for n, m in tied if there.issuperset(m.gave) and not there.isdisjoint((*m.took, *m.gave)))

    def _ends(self, event: int) -> bool:
        return all(self.events[n].view.absent for n in self.children(event))

    def parents(self, event: int) -> tuple[int, ...]:
        """The events that it was made of; none of an input."""
        by = self.events[event].by
        return () if by is None else self.makings[by].took

    def children(self, event: int) -> tuple[int, ...]:
        """The events that were made of it."""
        return tuple(n for making in self.events[event].taken for n in self.makings[making].gave)

    def above(self, events: Iterable[int]) -> frozenset[int]:
        """These events, and all that they were made of."""
        return _closure(events, self.parents)

    def below(self, events: Iterable[int]) -> frozenset[int]:
        """These events, and all that was made of them."""
        return _closure(events, self.children)


def lineage_of(workflow: Workflow) -> Lineage:
    """The lineage of all that is known of a workflow; in time linear in its size."""
    nodes = list(in_causal_order(workflow))
    numbers = {id(node): n for n, node in enumerate(nodes)}
    taken = _taken(nodes, workflow)
    given = defaultdict[int, list[int]](list)
    known: dict[int, Delivery] = {}
    for node in nodes:
        for delivery in _deliveries(node):
            known.setdefault(id(delivery), delivery)
        if node.by is not None:
            known.setdefault(id(node.by), node.by)
            given[id(node.by)].append(numbers[id(node)])
    places = {key: n for n, key in enumerate(known)}
    makings = tuple(
        _making(delivery, [(numbers[id(n)], n) for n in taken.get(key, [])], tuple(given.get(key, ())))
        for key, delivery in known.items()
    )
    takers = defaultdict[int, list[int]](list)
    for number, making in enumerate(makings):
        for event in making.took:
            takers[event].append(number)
    made = [
        Made(
            view=event_view(node),
            role="nowhere",
            by=None if node.by is None else places[id(node.by)],
            taken=tuple(takers[n]),
            fates=tuple(_fates(node)),
        )
        for n, node in enumerate(nodes)
    ]
    return _with_roles(Lineage(workflow.id, tuple(made), makings))


def _deliveries(node: Node) -> Iterator[Delivery]:
    """Its own, but for where it was held for a group; then the group's."""
    for delivery in node.by_step():
        if delivery.fills is not None and delivery.fills.delivery is not None:
            yield delivery.fills.delivery
        elif delivery.state != "held":
            yield delivery


def _taken(nodes: Sequence[Node], workflow: Workflow) -> dict[int, list[Node]]:
    """By delivery (its `id()`), the events that it took; of a group one a slot, by parameter and index."""
    taken: dict[int, list[Node]] = {}
    slots = defaultdict[Gathering, dict[tuple[int, bool, int], Node]](dict)
    for node in nodes:
        for delivery in node.by_step():
            taken[id(delivery)] = [node]
            slot = delivery.slot
            if delivery.fills is not None and slot is not None:
                filled = slots[delivery.fills]
                key = slot.param, not slot.whole, slot.index
                if key not in filled or _weight(node) > _weight(filled[key]):
                    filled[key] = node
    for gathering in workflow.gatherings.values():
        if gathering.delivery is not None:
            taken[id(gathering.delivery)] = [node for _, node in sorted(slots[gathering].items(), key=lambda s: s[0])]
    return taken


def _weight(node: Node) -> int:
    """An event takes an absence's place, and that the place of a dead letter's."""
    return 0 if node.pending else 1 if node.absent else 2


def _making(delivery: Delivery, took: Sequence[tuple[int, Node]], gave: tuple[int, ...]) -> Making:
    return Making(
        step=delivery.step,
        delivery=delivery.id or (event_delivery(took[0][1], delivery) if took else ""),
        group=delivery.group,
        generation=delivery.generation,
        state=delivery.state,
        took=tuple(number for number, _ in took),
        gave=gave,
        attempts=tuple(delivery.attempts),
    )


def _fates(node: Node) -> Iterator[tuple[str, str]]:
    for step in node.owing:
        if step not in node.deliveries:
            yield step, "owed"
    for delivery in node.by_step():
        yield delivery.step, delivery.state


def _with_roles(found: Lineage) -> Lineage:
    products = [n for n, made in enumerate(found.events) if not made.fates and _can_be_product(made)]
    used = found.above(products)
    roles: list[Role] = ["used" if n in used else "nowhere" for n in range(len(found.events))]
    for number in products:
        roles[number] = "product"
    events = (
        Made(made.view, role, made.by, made.taken, made.fates) for made, role in zip(found.events, roles, strict=True)
    )
    return Lineage(found.workflow, tuple(events), found.makings)


def _can_be_product(made: Made) -> bool:
    return made.by is not None and not made.view.absent


def _closure(start: Iterable[int], following: Callable[[int], Iterable[int]]) -> frozenset[int]:
    found, left = set[int](), list(start)
    while left:
        event = left.pop()
        if event not in found:
            found.add(event)
            left.extend(following(event))
    return frozenset(found)
