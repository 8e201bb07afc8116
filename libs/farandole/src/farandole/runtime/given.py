"""What a step gave, checked against its signature and turned into bytes where the step ran."""

from typing import Any, NamedTuple

from farandole.events.errors import StepError
from farandole.events.event import Event, EventType, key_text
from farandole.runtime.bind import OutSlot, Signature


class Undeclared(StepError):
    """A step returned what its signature does not say; never retried, for the code has to change."""


class Item(NamedTuple):
    """One event that a step gave: which of its slot's types, its key, and its JSON."""

    kind: int  # index into the slot's types
    key: str | None
    data: bytes


Given = list[list[Item] | Item | None]
"""Per slot of the signature: a list for a fan-out, an item, or None where nothing came."""


def read_given(signature: Signature, value: Any) -> Given:
    """Check a step's return value. Raises Undeclared naming what was returned and what is declared."""
    if type(value) is signature.sole_out:
        return [_made(0, value)]
    slots = signature.slots
    if not slots:
        if value is not None:
            raise Undeclared(f"returned {type(value).__name__} but is declared -> None; declare what it publishes")
        return []
    if not signature.is_tuple:
        return [_slot(slots[0], value)]
    if not isinstance(value, tuple) or len(value) != len(slots):
        raise Undeclared(f"returned {_name(value)} but declares a tuple of {len(slots)}")
    return [_slot(slot, part) for slot, part in zip(slots, value, strict=True)]


def _slot(slot: OutSlot, value: Any) -> list[Item] | Item | None:
    if slot.many:
        if not isinstance(value, list):
            raise Undeclared(f"returned {_name(value)} but declares a list of {_names(slot)}")
        return [_item(slot, member) for member in value]
    if value is None:
        if not slot.optional:
            raise Undeclared(f"returned None but declares {_names(slot)}; declare {_names(slot)} | None")
        return None
    return _item(slot, value)


def _item(slot: OutSlot, value: Any) -> Item:
    kind = type(value)
    for index, declared in enumerate(slot.types):
        if kind is declared:
            return _made(index, value)
    raise Undeclared(f"returned {_name(value)} but declares {_names(slot)}")


def _made(index: int, event: Event) -> Item:
    field, key = event.event_type.key, None
    if field is not None:
        key = getattr(event, field)
        if type(key) is not str:
            key = key_text(key)
    return tuple.__new__(Item, (index, key, event.data()))


def event_type(slot: OutSlot, item: Item) -> EventType:
    """The event type of an item."""
    declared: type[Event] = slot.types[item.kind]
    return declared.event_type


def _name(value: Any) -> str:
    return type(value).__name__


def _names(slot: OutSlot) -> str:
    return " | ".join(t.__name__ for t in slot.types)
