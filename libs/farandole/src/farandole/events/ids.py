"""Derived ids: the same inputs always give the same id, so a retry repeats them and a rebuild agrees.

Every id is the beginning of a BLAKE2b digest of separated text, as lower-case hex: 16 bytes of it for events,
deliveries, workflows and traces, 8 for groups and spans.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

# The separators \x1e and \x1f stand in no source, id, name or index: the codec refuses control characters.


class Parent(NamedTuple):
    """An event's identity: both parts, because an id is unique only within its source."""

    source: str
    id: str


class Derivation:
    """The ids of one delivery and of all that it gives, each following from the delivery's own."""

    __slots__ = ("_base", "_raw", "delivery")

    def __init__(
        self, parents: Iterable[tuple[str, str]], producer: str, generation: int = 0, *, group: str = ""
    ) -> None:
        """`parents`: source and id of each. `producer` is `service/step`; `group` names what was gathered."""
        text = f"delivery\x1f{group}\x1f{producer}\x1f{generation}"
        for source, event_id in parents:
            text += f"\x1f{source}\x1f{event_id}"
        self._raw = blake2b(text.encode()).digest()[:16]
        self.delivery = self._raw.hex()
        self._base: blake2b | None = None

    @classmethod
    def of(cls, delivery: str) -> "Derivation":
        """The ids that follow from a delivery's id alone, as a fold needs them."""
        self = cls.__new__(cls)
        self._raw = bytes.fromhex(delivery)
        self.delivery = delivery
        self._base = None
        return self

    def event(self, slot: int, index: int | None = None) -> str:
        """Id of the output at `slot` of the signature's outputs, `index` within it where it is a list."""
        if index is None:
            return blake2b(b"%b\x1e%d" % (self._raw, slot)).hexdigest()[:32]
        if self._base is None:  # a fan-out has many: hash what they share once
            self._base = blake2b(self._raw)
        digest = self._base.copy()
        digest.update(b"\x1e%d.%d" % (slot, index))
        return digest.hexdigest()[:32]

    def group(self, slot: int) -> str:
        """Id of the group that a fan-out at `slot` opens."""
        return _hash(f"group\x1f{self.delivery}\x1f{slot}", 16)

    def absent(self, slot: int, type_name: str, note: str = "") -> str:
        """Id of the absence published at `slot` in place of `type_name`; `note` tells a pending one apart."""
        return _hash(f"absent\x1f{self.delivery}\x1f{slot}\x1f{type_name}\x1f{note}", 32)


def workflow_id(source: str, event_id: str) -> str:
    """Id of the workflow that an input without a correlation id starts."""
    return _hash(f"workflow\x1f{source}\x1f{event_id}", 32)


def stray_workflow_id(topic: str, partition: int, offset: int) -> str:
    """Id of the workflow of a record that cannot be decoded."""
    return _hash(f"stray\x1f{topic}\x1f{partition}\x1f{offset}", 32)


def trace_id(workflow: str) -> str:
    """W3C trace id of a workflow, 32 hex digits."""
    return _hash(f"trace\x1f{workflow}", 32)


def span_id(delivery: str, attempt: int) -> str:
    """W3C parent id of one attempt, 16 hex digits; the first attempt's are the delivery's last, a hash already."""
    return delivery[-16:] if attempt == 1 else _hash(f"span\x1f{delivery}\x1f{attempt}", 16)


def twin_span_id(delivery: str, attempt: int, place: tuple[str, int, int]) -> str:
    """The same of a second record under one identity: its delivery has the first one's id, so its place counts."""
    topic, partition, offset = place
    return _hash(f"twin\x1f{delivery}\x1f{attempt}\x1f{topic}/{partition}/{offset}", 16)


def root_span_id(workflow: str) -> str:
    """W3C id of the span of a whole workflow, 16 hex digits."""
    return _hash(f"root\x1f{workflow}", 16)


def send_span_id(source: str, event_id: str) -> str:
    """W3C id of the span in which an event was published, 16 hex digits."""
    return _hash(f"send\x1f{source}\x1f{event_id}", 16)


def is_sampled(trace: str, ratio: float) -> bool:
    """Whether a trace is among the share `ratio` (0 to 1) that is kept; everyone finds the same.

    As OpenTelemetry's TraceIdRatioBased: by the lower 64 bits of the id, which is a hash.
    """
    return ratio >= 1.0 or int(trace[16:], 16) < _share(ratio)


@lru_cache(16)  # asked of every event, and a process knows one ratio
def _share(ratio: float) -> int:
    return round(ratio * 2**64)


def traceparent(trace: str, span: str, *, sampled: bool = True) -> str:
    """W3C Trace Context header, version 00."""
    return f"00-{trace}-{span}-01" if sampled else f"00-{trace}-{span}-00"


def fingerprint(*parts: str | bytes) -> bytes:
    """Eight bytes that stand for the parts where equality is all that counts (inputs seen, bodies)."""
    digest = blake2b()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(b"%d\x1f" % len(raw))  # a body may hold any separator
        digest.update(raw)
    return digest.digest()[:8]


def content_id(data: bytes) -> str:
    """Id of a record that stands for nothing but its content."""
    return blake2b(data).hexdigest()[:32]


def _hash(text: str, digits: int) -> str:
    return blake2b(text.encode()).hexdigest()[:digits]
