"""Two services that answer each other a given number of times: the cost of one durable step after another."""

from farandole.events.event import Event
from farandole.runtime.declare import Service


class Ping(Event, type="ping", key="key"):
    """Asks."""

    key: str
    left: int


class Pong(Event, type="pong", key="key"):
    """Answers."""

    key: str
    left: int


class Rested(Event, type="rested", key="key", final=True):
    """The end."""

    key: str


service = Service("pingpong", accepts=[Ping])


@service.step
async def answer(event: Ping) -> Pong:
    """One step."""
    return Pong(key=event.key, left=event.left - 1)


@service.step
async def ask(event: Pong) -> Ping | Rested:
    """The next, until none is left."""
    return Ping(key=event.key, left=event.left - 1) if event.left > 0 else Rested(key=event.key)
