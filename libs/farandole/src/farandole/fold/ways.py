"""Every way that one member of a group may go through a topology: one `World` per combination of alternatives.

Steps that return `B | C` open alternatives; several consumers of an event, and several slots of a step, are
ways taken together. An absence goes where the event would have gone, so `B | None` is no alternative.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Literal, NamedTuple

from farandole.fold.topology import Topology, TypeVersion

WORLDS_LIMIT = 10_000


class Port(NamedTuple):
    """A parameter of a step."""

    step: str
    param: str


class End(NamedTuple):
    """Where a way ended, or arrived: an event type, and the step that published it.

    untaken: nobody takes the type. leaf: `step` takes it and publishes nothing. waiting: `step` joins it with
    what does not come. arrived: at a fan-in.
    """

    type: TypeVersion
    step: str
    why: Literal["untaken", "leaf", "waiting", "arrived"]


class _Event(NamedTuple):
    type: TypeVersion
    source: str
    past: frozenset[str]  # the steps that it came through, itself excluded


@dataclass(slots=True)
class World:
    """One combination of alternatives.

    `arrivals`: what reached the fan-ins that gather the group; `sides`: what reached the sides of joins on the way.
    """

    queue: list[_Event]
    arrivals: list[tuple[Port, End]] = field(default_factory=list)
    sides: list[tuple[Port, End]] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    filled: dict[Port, _Event] = field(default_factory=dict)
    fired: frozenset[str] = frozenset()  # joins that are complete: they fire once

    def at(self, port: Port) -> list[End]:
        """What arrived there."""
        return [end for there, end in (*self.arrivals, *self.sides) if there == port]

    def count(self, port: Port) -> int:
        """How often a member arrived there."""
        return len(self.at(port))


def worlds_of(topology: Topology, step: str, slot: int) -> list[World] | None:
    """Every world of a member of the group that a step's fan-out slot opens; none where all ways are circles.

    None where there are more than `WORLDS_LIMIT`.
    """
    types = topology.steps[step].contract.outputs[slot].types
    stack = [World([_Event(member, step, frozenset())]) for member in types]
    finished: list[World] = []
    while stack:
        world = stack.pop()
        if world.queue:
            stack.extend(_advance(topology, world, world.queue.pop()))
        else:
            world.ends.extend(_waiting(world))
            finished.append(world)
        if len(stack) + len(finished) > WORLDS_LIMIT:
            return None
    return finished


def _advance(topology: Topology, world: World, event: _Event) -> Iterator[World]:
    """The worlds that follow when everyone who takes the event has taken it."""
    takers = topology.consumers.get(event.type, ())
    if not takers:
        world.ends.append(End(event.type, event.source, "untaken"))
    given: list[list[list[_Event]]] = []  # per step that now publishes: its alternatives
    for taker in takers:
        found = topology.steps[taker].port(event.type)
        if found is None:
            continue
        port = Port(taker, found[1].name)
        if found[1].many:
            world.arrivals.append((port, End(event.type, event.source, "arrived")))
        elif taker in event.past:
            return  # a circle: its other alternatives are worlds of their own
        else:
            given.extend(_fill(topology, world, port, event))
    yield from _fork(world, given)


def _fork(world: World, given: list[list[list[_Event]]]) -> Iterator[World]:
    for choice in product(*given):
        queue = [*world.queue, *(event for events in choice for event in events)]
        arrivals, sides, ends = list(world.arrivals), list(world.sides), list(world.ends)
        yield World(queue, arrivals, sides, ends, dict(world.filled), world.fired)


def _fill(topology: Topology, world: World, port: Port, event: _Event) -> list[list[list[_Event]]]:
    """A side of a step has its event; where it was the last one the step publishes, once."""
    info = topology.steps[port.step]
    if info.contract.shape != "join":
        return _publish(topology, world, port.step, event)
    world.filled[port] = event
    world.sides.append((port, End(event.type, event.source, "arrived")))
    sides = [Port(port.step, side.name) for side in info.contract.inputs]
    if port.step in world.fired or any(side not in world.filled for side in sides):
        return []
    world.fired |= {port.step}
    past = frozenset[str]().union(*(world.filled[side].past for side in sides))
    return _publish(topology, world, port.step, event._replace(past=past))


def _publish(topology: Topology, world: World, step: str, event: _Event) -> list[list[list[_Event]]]:
    """What a step publishes for an event: one list of alternatives per slot, and what closed groups lead to."""
    past = event.past | {step}
    given: list[list[list[_Event]]] = []
    outputs = topology.steps[step].contract.outputs
    if not outputs:
        world.ends.append(End(event.type, step, "leaf"))
    for number, slot in enumerate(outputs):
        if slot.many:
            for port, last in gatherers(topology, step, number):
                if port.step not in past:
                    given.extend(_fill(topology, world, port, last._replace(past=past)))
        elif slot.types:
            given.append([[_Event(member, step, past)] for member in slot.types])
    return given


def gatherers(
    topology: Topology, step: str, slot: int, seen: frozenset[tuple[str, int]] = frozenset()
) -> list[tuple[Port, _Event]]:
    """The parameters that gather the group of a fan-out slot, each with an event that gets there."""
    if (step, slot) in seen:
        return []
    queue = [_Event(t, step, frozenset()) for t in topology.steps[step].contract.outputs[slot].types]
    known = {event.type for event in queue}
    found: dict[Port, _Event] = {}
    while queue:
        event = queue.pop()
        for taker in topology.consumers.get(event.type, ()):
            port = topology.steps[taker].port(event.type)
            if port is not None and port[1].many:
                found.setdefault(Port(taker, port[1].name), event)
            else:
                fresh = [e for e in _next(topology, taker, seen | {(step, slot)}) if e.type not in known]
                known.update(e.type for e in fresh)
                queue.extend(fresh)
    return sorted(found.items())


def _next(topology: Topology, step: str, seen: frozenset[tuple[str, int]]) -> Iterator[_Event]:
    """What may come of a step at the same level: what it publishes, and what closing its own groups gives."""
    for number, slot in enumerate(topology.steps[step].contract.outputs):
        if not slot.many:
            yield from (_Event(t, step, frozenset()) for t in slot.types)
            continue
        for port, _ in gatherers(topology, step, number, seen):
            yield from _next(topology, port.step, seen | {(step, number)})


def _waiting(world: World) -> Iterator[End]:
    for port, event in world.filled.items():
        if port.step not in world.fired:
            yield End(event.type, port.step, "waiting")
