"""What is wrong with a topology before anything runs: members that may get lost, types that nobody gives or takes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from farandole.events.manifest import OutSlot
from farandole.fold.topology import Topology, TypeVersion
from farandole.fold.ways import WORLDS_LIMIT, End, Port, World, worlds_of

ProblemKind = Literal["elsewhere", "twice", "endless", "unchecked", "unconsumed", "unpublished"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. `steps` (`service/step`) and `types` (`name.vN`) take part in it; `text` says it all.

    elsewhere: a member of a group may end where its fan-in does not gather it. twice: it may get there more than
    once. endless: its way never ends. unchecked: too many ways to follow. unconsumed: a type that nobody takes,
    though it is not final. unpublished: one that nobody publishes or accepts.
    """

    kind: ProblemKind
    steps: tuple[str, ...]
    types: tuple[str, ...]
    text: str


def check_groups(topology: Topology) -> list[Problem]:
    """For every fan-out: each way that a member may go ends exactly once at each fan-in that gathers it.

    A branch that never leads to that fan-in (a preview, a log) is no way to it, and free to end as it likes.
    """
    found: list[Problem] = []
    for name, info in sorted(topology.steps.items()):
        if info.exists:
            for number, slot in enumerate(info.contract.outputs):
                if slot.many:
                    found.extend(_check_fan_out(topology, name, number, slot))
    return found


def check_types(topology: Topology) -> list[Problem]:
    """Types that are published but neither taken nor final; types that are taken but come from nowhere."""
    given = {taken: topology.producers.get(taken, ()) for taken in {*topology.producers, *topology.accepted}}
    unconsumed = [t for t in sorted(given) if t not in topology.consumers and t not in topology.final]
    unpublished = [t for t in sorted(topology.consumers) if t not in given]
    return [
        *(_unconsumed(t, given[t] or topology.published.get(t, ())) for t in unconsumed),
        *(_unpublished(t, topology.consumers[t]) for t in unpublished),
    ]


def _check_fan_out(topology: Topology, step: str, number: int, slot: OutSlot) -> Iterator[Problem]:
    worlds = worlds_of(topology, step, number)
    if worlds is None:
        text = f"members of the group that {step} opens have more than {WORLDS_LIMIT} ways; use fewer alternatives"
        yield Problem("unchecked", (step,), _wires(slot.types), text)
        return
    if not worlds and slot.types:
        names = " or ".join(_wires(slot.types))
        text = f"every way of {names} in the group that {step} opens leads back to where it was; let one of them end"
        yield Problem("endless", (step,), _wires(slot.types), text)
    for port in sorted({port for world in worlds for port, _ in world.arrivals}):
        yield from _lost(step, port, worlds)
    for port in sorted({port for world in worlds for port, _ in (*world.arrivals, *world.sides)}):
        twice = {end for world in worlds if world.count(port) > 1 for end in world.at(port)}
        if twice:
            yield _twice(step, port, sorted(twice))


def _lost(step: str, port: Port, worlds: list[World]) -> Iterator[Problem]:
    """Where the members end that do not come; not where those that come leave branches, too."""
    lost = [world for world in worlds if world.count(port) == 0]
    if lost:
        fine = {end for world in worlds if world.count(port) for end in world.ends}
        yield _elsewhere(step, port, sorted({end for world in lost for end in set(world.ends) - fine or world.ends}))


def _elsewhere(step: str, port: Port, ends: list[End]) -> Problem:
    where = " or ".join(_end_text(end) for end in ends) or "nowhere"
    named = ", ".join(_wires(end.type for end in ends if end.why == "untaken"))
    cure = f"let it gather {named} too (list[… | …])" if named else "let that way lead to it"
    text = (
        f"a member of the group that {step} opens may end as {where}, "
        f"but {port.step} gathers it in {port.param!r} and would wait for ever; {cure}"
    )
    return Problem("elsewhere", _distinct(step, port.step, *(e.step for e in ends)), _wires(e.type for e in ends), text)


def _twice(step: str, port: Port, ends: list[End]) -> Problem:
    ways = " and ".join(f"{_wire(end.type)} from {end.step}" for end in ends)
    text = (
        f"one member of the group that {step} opens may reach {port.step} ({port.param!r}) more than once: "
        f"{ways}; a slot holds one event, so give each way a parameter of its own"
    )
    return Problem("twice", _distinct(step, port.step, *(e.step for e in ends)), _wires(e.type for e in ends), text)


def _end_text(end: End) -> str:
    if end.why == "leaf":
        return f"{_wire(end.type)} in {end.step}, which publishes nothing"
    if end.why == "waiting":
        return f"{_wire(end.type)} in {end.step}, whose other sides do not come"
    return f"{_wire(end.type)} from {end.step}"


def _unconsumed(taken: TypeVersion, owners: tuple[str, ...]) -> Problem:
    text = f"{_wire(taken)} of {', '.join(owners)} is taken by no step; take it, or declare it final=True"
    return Problem("unconsumed", owners, (_wire(taken),), text)


def _unpublished(taken: TypeVersion, takers: tuple[str, ...]) -> Problem:
    text = f"{_wire(taken)} is taken by {', '.join(takers)}, but no step publishes it and no service accepts it"
    return Problem("unpublished", takers, (_wire(taken),), text)


def _wire(taken: TypeVersion) -> str:
    return f"{taken[0]}.v{taken[1]}"


def _wires(types: Iterable[TypeVersion]) -> tuple[str, ...]:
    return _distinct(*map(_wire, types))


def _distinct(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
