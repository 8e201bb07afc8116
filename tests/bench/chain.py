"""Five services in a row, a hop each, for the latency of a chain."""

from farandole.events.event import Event
from farandole.runtime.declare import Service


class Hop0(Event, type="hop0", key="key"):
    """Published by the bench."""

    key: str
    sent: float
    note: str


class Hop1(Event, type="hop1", key="key"):
    """After the first service."""

    key: str
    sent: float
    note: str


class Hop2(Event, type="hop2", key="key"):
    """After the second."""

    key: str
    sent: float
    note: str


class Hop3(Event, type="hop3", key="key"):
    """After the third."""

    key: str
    sent: float
    note: str


class Hop4(Event, type="hop4", key="key"):
    """After the fourth."""

    key: str
    sent: float
    note: str


class Hop5(Event, type="hop5", key="key", final=True):
    """The end of the chain."""

    key: str
    sent: float
    note: str


one = Service("one", accepts=[Hop0])
two = Service("two")
three = Service("three")
four = Service("four")
five = Service("five")
SERVICES = (one, two, three, four, five)


@one.step
async def first(event: Hop0) -> Hop1:
    """Pass it on."""
    return Hop1(key=event.key, sent=event.sent, note=event.note)


@two.step
async def second(event: Hop1) -> Hop2:
    """Pass it on."""
    return Hop2(key=event.key, sent=event.sent, note=event.note)


@three.step
async def third(event: Hop2) -> Hop3:
    """Pass it on."""
    return Hop3(key=event.key, sent=event.sent, note=event.note)


@four.step
async def fourth(event: Hop3) -> Hop4:
    """Pass it on."""
    return Hop4(key=event.key, sent=event.sent, note=event.note)


@five.step
async def fifth(event: Hop4) -> Hop5:
    """Pass it on."""
    return Hop5(key=event.key, sent=event.sent, note=event.note)
