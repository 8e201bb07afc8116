"""Which identities were appended, with what value and where; the memory behind idempotent appends."""

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from farandole.events.errors import IdConflict
from farandole.log.record import Place

REMEMBERED = 7 * 24 * 3600.0
"""Seconds for which an identity is remembered at least, unless it is among the last ones anyway."""
AT_LEAST = 100_000
"""So many identities are remembered, however old."""


class _First(NamedTuple):
    fingerprint: bytes
    place: Place
    time: float


class Identities:
    """Identities in the order of their first appearance."""

    __slots__ = ("_first",)

    def __init__(self) -> None:
        self._first: OrderedDict[bytes, _First] = OrderedDict()

    def firsts(self, values: Sequence[bytes | None], identities: Sequence[bytes | None]) -> list[Place | int | None]:
        """Per value where its identity was first: a place, an earlier index of this call, or None: here.

        Raises IdConflict where an identity comes, or came, with another value.
        """
        seen: dict[bytes, int] = {}
        firsts: list[Place | int | None] = []
        for index, identity in enumerate(identities):
            first = None if identity is None else seen.setdefault(identity, index)
            if identity is None or first is None:
                firsts.append(None)
            elif first == index:
                firsts.append(self._place(identity, values[index]))
            elif values[first] == values[index]:
                firsts.append(first)
            else:
                raise _conflict(identity)
        return firsts

    def remember(self, identity: bytes, value: bytes | None, place: Place, now: float) -> None:
        """Note a first appearance, and forget the oldest beyond time and number."""
        self._first[identity] = _First(_fingerprint(value), place, now)
        while len(self._first) > AT_LEAST:
            oldest = next(iter(self._first))
            if now - self._first[oldest].time <= REMEMBERED:
                return
            del self._first[oldest]

    def _place(self, identity: bytes, value: bytes | None) -> Place | None:
        first = self._first.get(identity)
        if first is not None and first.fingerprint != _fingerprint(value):
            raise _conflict(identity)
        return None if first is None else first.place


def _fingerprint(value: bytes | None) -> bytes:
    return b"" if value is None else blake2b(value, digest_size=16).digest()


def _conflict(identity: bytes) -> IdConflict:
    return IdConflict(f"identity {identity!r} was appended before with another value; give a new event a new id")
