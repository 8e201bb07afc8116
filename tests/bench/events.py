"""The events of the hop that is measured, about 300 bytes of JSON each, and the service that moves them."""

from farandole.events.event import Event
from farandole.runtime.declare import Service


class Measured(Event, type="measured", key="key"):
    """What comes in."""

    key: str
    site: str
    value: float
    count: int
    series: list[float]
    note: str


class Moved(Event, type="moved", key="key", final=True):
    """What goes out."""

    key: str
    site: str
    value: float
    count: int
    series: list[float]
    note: str


service = Service("hop", accepts=[Measured])


@service.step
async def move(event: Measured) -> Moved:
    """Build a new event from the one that came."""
    return Moved(
        key=event.key, site=event.site, value=event.value, count=event.count, series=event.series, note=event.note
    )


def sample(count: int) -> list[Measured]:
    """Events whose keys repeat now and then, as instruments do."""
    return [measured(n) for n in range(count)]


def measured(n: int) -> Measured:
    """The event of this number."""
    return Measured(
        key=f"instrument-{n % 997:04d}",
        site=f"station {n % 41} on the northern slope",
        value=n * 0.37,
        count=n,
        series=[n * 0.5, n * 0.25, n * 0.125, 1.0, 2.0],
        note="a remark of the length that people write " * 3,
    )
