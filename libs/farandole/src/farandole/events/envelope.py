"""An event with its metadata; what the rest of the library passes around."""

from typing import NamedTuple

from farandole.events.ids import Parent
from farandole.events.scope import Scope

ABSENT = "farandole.absent"
"""Type name of an absence; its topic is that of the type it stands for."""


class Envelope(NamedTuple):
    """The CloudEvents attributes that we know, the data still as bytes, and the rest as they came.

    `type` is the name without its version (`scene.received`). `time` is RFC 3339 text where the publisher gave
    one; else the record's append time counts. `extensions` are further attributes and plain headers, in order.
    """

    id: str
    source: str
    type: str
    version: int
    data: bytes
    key: str | None = None
    workflow: str = ""
    cause: str | None = None
    scope: Scope = ()
    generation: int = 0
    traceparent: str | None = None
    time: str | None = None
    extensions: tuple[tuple[str, str], ...] = ()

    @property
    def identity(self) -> Parent:
        """(source, id): an id alone is unique only within its source."""
        return Parent(self.source, self.id)

    @property
    def is_absence(self) -> bool:
        """Whether this says that an event will not come."""
        return self.type == ABSENT
