"""What is preloaded: the same events, bare for those that know no headers, or as an upstream step writes them."""

import json
import time
from typing import NamedTuple

from farandole.events.codec import encode
from farandole.events.envelope import Envelope
from farandole.events.manifest import Manifest, StepManifest
from tests.bench import events
from tests.bench.chain import Hop0

UPSTREAM = Manifest(service="up", version="0", steps=[StepManifest(name="stream", inputs=[])])
"""So that the input comes from within the dance, as on every hop but the first."""
SOURCE = "up/stream"
_TRACE = f"00-{'1' * 32}-{'2' * 16}-01"
_NOTE = "x" * 236  # makes 300 bytes of JSON
_KEYS = 50


class Raw(NamedTuple):
    """A record as a plain producer takes it."""

    key: bytes
    value: bytes
    headers: list[tuple[str, str | bytes | None]]


def measured(count: int, *, headers: bool) -> list[Raw]:
    """`count` events, numbered by their field `count`."""
    return [numbered(number, headers=headers) for number in range(count)]


def numbered(number: int, *, headers: bool) -> Raw:
    """The event whose field `count` is this."""
    return _raw(events.measured(number), f"{number:032x}", headers)


def hop(number: int, *, source: str) -> Raw:
    """An event of the chain, published now; with headers where a `source` is named."""
    event = Hop0(key=f"k{number % _KEYS}", sent=time.time(), note=_NOTE)
    if not source:
        return Raw(event.key.encode(), event.data(), [])
    name = f"{number:032x}"
    envelope = Envelope(name, source, "hop0", 1, event.data(), event.key)
    if source == SOURCE:
        envelope = envelope._replace(workflow=name, cause="0" * 32, traceparent=_TRACE)
    return Raw(event.key.encode(), event.data(), list(encode(envelope).headers))


def sent(value: bytes) -> float:
    """When the event of the chain was published, seconds since the epoch."""
    return float(json.loads(value)["sent"])


def size() -> int:
    """Bytes of JSON of one measured event, on average."""
    found = events.sample(1000)
    return round(sum(len(event.data()) for event in found) / len(found))


def _raw(event: events.Measured, name: str, headers: bool) -> Raw:
    envelope = Envelope(name, SOURCE, "measured", 1, event.data(), event.key, name, "0" * 32, (), 0, _TRACE)
    return Raw(event.key.encode(), event.data(), list(encode(envelope).headers) if headers else [])
