"""The events as plain pydantic models, for whoever has no model of their own, and what a hop does with one."""

from collections.abc import Callable

from pydantic import BaseModel


class Measured(BaseModel):
    """What comes in, about 300 bytes of JSON."""

    key: str
    site: str
    value: float
    count: int
    series: list[float]
    note: str


class Moved(BaseModel):
    """What goes out."""

    key: str
    site: str
    value: float
    count: int
    series: list[float]
    note: str


class Hop(BaseModel):
    """What goes through a chain: it carries the time at which it was published."""

    key: str
    sent: float
    note: str


def move(event: Measured) -> Moved:
    """Build a new event from the one that came."""
    return Moved(
        key=event.key, site=event.site, value=event.value, count=event.count, series=event.series, note=event.note
    )


def pass_on(event: Hop) -> Hop:
    """The same, for a chain."""
    return Hop(key=event.key, sent=event.sent, note=event.note)


def hop(shape: str) -> Callable[[bytes], bytes]:
    """From the bytes of one event to those of the next: validated, built anew, written."""
    return _hopped if shape == "hop" else _measured


def _hopped(data: bytes) -> bytes:
    return pass_on(Hop.model_validate_json(data)).model_dump_json().encode()


def _measured(data: bytes) -> bytes:
    return move(Measured.model_validate_json(data)).model_dump_json().encode()
