"""A reference for groups and joins: what must have been gathered, from the raw records alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from farandole.events.manifest import StepManifest
from farandole.runtime.absence import read_absence
from farandole.testing.history import Found, History
from farandole.testing.stories import Story

Slots = dict[int, tuple[int, str]]
"""By index: weight (0 pending, 1 absent, 2 event), and `source, id` of the event."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """One complete group: who is in it (as a digest of all, in order), and which indices are missing."""

    step: str
    workflow: str
    generation: int
    count: int
    digest: str
    absent: tuple[int, ...]


class _Piece(NamedTuple):
    """One record as a member: `key` of its group, parameter, slot, size (-1: the side is missing), weight."""

    key: tuple[object, ...]
    param: int
    slot: int
    size: int
    weight: int


def gathered(history: History, name: str, step: StepManifest, stands: dict[object, Story]) -> Iterator[Gathered]:
    """Every group of a step whose members are all there, as a reader of the raw log finds them."""
    groups: dict[tuple[object, ...], list[tuple[int, Slots]]] = {}
    for found in history.taken_by(step):
        piece = _piece(step, found, stands.get((*found.record.place, 0)))
        if piece is None or found.envelope is None:
            continue
        sides = groups.setdefault(piece.key, [(1 if not port.many else -2, {}) for port in step.inputs])
        size, slots = sides[piece.param]
        if piece.size >= 0 or piece.weight:
            sides[piece.param] = (piece.size if size < 0 else size, slots)
        if piece.size > 0 and slots.get(piece.slot, (-1, ""))[0] < piece.weight:
            slots[piece.slot] = piece.weight, f"{found.envelope.source}\x1f{found.envelope.id}\x1f"
    for key, sides in groups.items():
        if all(size in (-1, 0) or sum(w > 0 for w, _ in slots.values()) == size for size, slots in sides):
            yield _gathered(name, key, step, sides)


def _piece(step: StepManifest, found: Found, story: Story | None) -> _Piece | None:
    envelope = found.envelope
    if envelope is None:
        return None
    absence = read_absence(envelope) if envelope.is_absence else None
    name = absence.stands_for if absence is not None else envelope.type
    param = next(n for n, port in enumerate(step.inputs) if any(name == taken for taken, _ in port.types))
    depth = absence.why.depth if absence is not None else 0
    many = step.inputs[param].many
    weight = 2 if absence is None else 0 if absence.why.pending else 1
    if story is not None and story.told[-1].fact.fact in ("dead", "discarded"):
        weight = 0 if story.standing == "dead" else 1
    base = (envelope.workflow, envelope.generation)
    if many and not depth:
        if not envelope.scope:
            return None
        level, outer = envelope.scope[-1], envelope.scope[:-1]
        group = level.group if step.shape == "fan-in" else ""
        return _Piece((*base, outer, group), param, level.index, level.size, weight)
    if depth > (1 if many else 0) or step.shape == "fan-in":
        return None  # what it would be a member of does not exist
    return _Piece((*base, envelope.scope, ""), param, 0, -1 if many else 1, weight)


def _gathered(name: str, key: tuple[object, ...], step: StepManifest, sides: list[tuple[int, Slots]]) -> Gathered:
    digest, count = blake2b(digest_size=8), 0
    for _, slots in sides:
        for index in sorted(slots):
            weight, identity = slots[index]
            if weight == 2:
                count += 1
                digest.update(identity.encode())
    first = next((slots for (_, slots), port in zip(sides, step.inputs, strict=True) if port.many), {})
    absent = tuple(sorted(index for index, (weight, _) in first.items() if weight < 2))
    return Gathered(name, str(key[0]), int(str(key[1])), count, digest.hexdigest(), absent)
