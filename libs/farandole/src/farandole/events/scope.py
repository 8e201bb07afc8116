"""The stack of groups that an event stands in; `ce_scope` on the wire."""

from typing import NamedTuple

from farandole.events.errors import DecodeError

_SIZE_LIMIT = 10**9  # members of one group


class Level(NamedTuple):
    """One group: its id, this member's index, and how many members it has."""

    group: str
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    size: int


Scope = tuple[Level, ...]
"""Outermost group first; empty outside of any fan-out."""


def scope_text(scope: Scope) -> str:
    """`group:index:size`, levels joined by `/`, outermost first."""
    return "/".join([f"{group}:{index}:{size}" for group, index, size in scope])


def read_scope(text: str) -> Scope:
    """The scope that `scope_text` wrote. Raises DecodeError."""
    return tuple([_level(part) for part in text.split("/")]) if "/" in text else (_level(text),) if text else ()


def _level(text: str) -> Level:
    try:
        group, index_text, size_text = text.split(":")
        index, size = int(index_text), int(size_text)
    except ValueError as error:
        raise DecodeError(f"ce_scope: {text[:80]!r} is not group:index:size") from error
    # int() also takes signs, blanks, underscores and the digits of other scripts.
    if not (group and index_text.isdigit() and size_text.isdigit() and text.isascii()):
        raise DecodeError(f"ce_scope: {text[:80]!r} is not group:index:size")
    if (index >= size and (index or size)) or size > _SIZE_LIMIT:  # an empty group is 0:0
        raise DecodeError(f"ce_scope: {text[:80]!r} has an index or a size beyond its range")
    return tuple.__new__(Level, (group, index, size))
