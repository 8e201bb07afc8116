"""Groups and joins while they fill: which slot a record fills, when all is there, and what is missing."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

from farandole.events.envelope import Envelope
from farandole.events.ids import Derivation, Parent
from farandole.events.scope import Scope, scope_text
from farandole.runtime.bind import Signature

Kind = Literal["event", "absent", "pending"]


class Member(NamedTuple):
    """Where a record belongs: the gathering's key, the parameter, and the slot. `whole`: the side is missing."""

    key: str
    param: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    size: int
    scope: Scope  # of what the gathering gives
    whole: bool = False


@dataclass(slots=True)
class Slot:
    """A settled place of a group. `place` is the record in the lease, to read the value again from."""

    kind: Kind
    envelope: Envelope
    place: tuple[str, int, int]


@dataclass(slots=True)
class Side:
    """One parameter of a gathering. `size` is known from the first member on; 1 for a single event."""

    many: bool
    size: int | None
    slots: dict[int, Slot] = field(default_factory=dict)
    firm: int = 0  # slots that are not pending
    missing: bool = False

    @property
    def full(self) -> bool:
        """Whether every slot holds an event or an absence (a dead letter's absence closes nothing)."""
        return self.missing or (self.size is not None and self.firm == max(self.size, 0))

    def events(self) -> Iterator[Slot]:
        """The slots that hold an event, by index."""
        return (self.slots[i] for i in sorted(self.slots) if self.slots[i].kind == "event")

    def absent(self) -> list[int]:
        """The indices that will not come."""
        return sorted(i for i, slot in self.slots.items() if slot.kind != "event")


@dataclass(slots=True)
class Group:
    """The members of one gathering of one step, until it closes."""

    key: str
    workflow: str
    generation: int
    scope: Scope
    sides: list[Side]
    partition: Any  # the runtime's partition that holds it
    rows: dict[str, None] = field(default_factory=dict)  # keys, in order: what a commit writes follows from it
    forwarded: bool = False  # a pending absence was passed on for it

    def settle(self, member: Member, kind: Kind, slot: Slot) -> Literal["new", "same", "conflict"]:
        """Fill a slot. An event takes an absence's place; a second, different event is a conflict."""
        side = self.sides[member.param]
        if member.whole:
            if kind == "absent":
                side.missing = True
            return "new"
        if side.size is not None and side.many and side.size != member.size:
            return "conflict"
        side.size = member.size
        if member.size == 0:
            return "new"
        held = side.slots.get(member.index)
        if held is not None and held.kind == "event":
            same = kind != "event" or held.envelope.identity == slot.envelope.identity
            return "same" if same else "conflict"
        if held is not None and held.kind == kind:
            return "same"
        if held is not None and held.kind == "absent" and kind == "pending":
            return "same"
        side.firm += (kind != "pending") - (held is not None and held.kind != "pending")
        side.slots[member.index] = slot
        return "new"

    @property
    def full(self) -> bool:
        """Whether nothing more is waited for."""
        return all(side.full for side in self.sides)

    @property
    def lacks_side(self) -> bool:
        """Whether the event of a single parameter, or a whole list, will not come: no user code runs."""
        return any(side.missing or (not side.many and not list(side.events())) for side in self.sides)

    def derivation(self, producer: str) -> Derivation:
        """The ids of the delivery that the closed group owes; they follow from who is in it."""
        parents: list[Parent] = [slot.envelope.identity for side in self.sides for slot in side.events()]
        return Derivation(parents, producer, self.generation, group=self.key)

    def envelopes(self) -> list[Envelope]:
        """All events in it, by parameter and index."""
        return [slot.envelope for side in self.sides for slot in side.events()]

    def digest(self) -> str:
        """Stands for the identities of all events in it, where naming 10,000 would be too much."""
        digest = blake2b(digest_size=8)
        for side in self.sides:
            for slot in side.events():
                digest.update(f"{slot.envelope.source}\x1f{slot.envelope.id}\x1f".encode())
        return digest.hexdigest()

    @property
    def count(self) -> int:
        """Events in it."""
        return sum(1 for side in self.sides for _ in side.events())

    def absent(self) -> list[int]:
        """Missing indices of its first list."""
        return next((side.absent() for side in self.sides if side.many), [])


def new_group(signature: Signature, member: Member, envelope: Envelope, partition: Any) -> Group:
    """An empty group for its first member."""
    sides = [Side(p.many, None if p.many else 1) for p in signature.params]
    return Group(member.key, envelope.workflow, envelope.generation, member.scope, sides, partition)


def member_of(signature: Signature, param: int, envelope: Envelope, depth: int = 0) -> Member | None:
    """Which slot an event (or an absence that lacks `depth` levels) fills; None where it stands in no group."""
    many = signature.params[param].many
    scope = envelope.scope
    pops = many and depth == 0
    if pops and not scope:
        return None
    outer = scope[:-1] if pops else scope
    suffix = f"~{envelope.generation}" if envelope.generation else ""
    if signature.shape == "fan-in":
        key = (scope[-1].group if pops else f"none-{envelope.workflow}") + suffix
    else:
        key = join_key(envelope.workflow, outer) + suffix
    if pops:
        return Member(key, param, scope[-1].index, scope[-1].size, outer)
    return Member(key, param, 0, 1, outer, whole=many)


def join_key(workflow: str, scope: Scope) -> str:
    """Key of a join: its members are of one workflow and stand in the same group."""
    return blake2b(f"join\x1f{workflow}\x1f{scope_text(scope)}".encode(), digest_size=8).hexdigest()


def param_of(signature: Signature, type_name: str) -> int | None:
    """Index of the parameter that takes a type, by its name."""
    return next(
        (n for n, p in enumerate(signature.params) if any(t.event_type.name == type_name for t in p.types)),
        None,
    )
