"""The journal's facts: how deliveries went; built as plain dicts (the hot path), read as models.

One journal record is a CloudEvent `farandole.facts.v1` whose data is a JSON list of facts. Times are seconds
since the epoch, UTC. Fields may be added; readers ignore those (and the kinds) that they do not know.
"""

from typing import Any, Literal, NotRequired, TypedDict

from pydantic import BaseModel, ConfigDict
from pydantic_core import from_json

FACTS = "farandole.facts"
FACTS_VERSION = 1
RECORD_LIMIT = 256 * 1024  # bytes of one journal record's value

Place = tuple[str, int, int]
"""Topic, partition, offset."""


class Out(TypedDict):
    """One output of a `Completed`: a single event, an absence, or (a slice of) a fan-out."""

    slot: int
    type: NotRequired[str]  # single: wire type; absence: the name that it stands for
    id: NotRequired[str]
    key: NotRequired[str | None]
    absent: NotRequired[int]  # 1 + depth of an absence: how many levels it lacks, plus one
    pending: NotRequired[bool]  # the absence of a dead letter: fills its slot, closes nothing
    group: NotRequired[str]  # fan-out
    count: NotRequired[int]
    start: NotRequired[int]  # index of the first key of this slice
    types: NotRequired[list[str]]  # wire types in use; `of` gives each member's where there are several
    of: NotRequired[list[int]]
    keys: NotRequired[list[str | None]]


class _Read(BaseModel):
    # Built when first read: a service writes facts, and starts sooner for it.
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class EventRef(_Read):
    """The event that a delivery took; `time` is its append time."""

    source: str
    id: str
    type: str
    time: float = 0.0
    at: Place


class GroupRef(_Read):
    """The closed group or join that a delivery took."""

    id: str
    delivery: str
    count: int
    absent: list[int] = []
    digest: str = ""


class Fills(_Read):
    """Which slot of which group or join a held event fills. `whole`: an absence of a whole side."""

    group: str
    param: int
    index: int
    size: int
    sides: int = 1
    absent: bool = False
    pending: bool = False
    whole: bool = False
    forwarded: bool = False


class Error(_Read):
    """What went wrong; never a payload."""

    kind: str
    text: str = ""


class Fact(_Read):
    """One fact; which of the optional fields are set follows from `fact`."""

    fact: Literal["completed", "continued", "retrying", "dead", "held", "parked", "redriven", "discarded", "cancelled"]
    workflow: str
    service: str
    step: str
    version: str = ""
    generation: int = 0
    attempt: int = 1
    worker: str = ""
    started: float = 0.0
    finished: float = 0.0
    event: EventRef | None = None
    group: GroupRef | None = None
    outputs: list[dict[str, Any]] = []
    fills: Fills | None = None
    error: Error | None = None
    reason: str = ""
    due: float = 0.0
    behind: str = ""
    by: str = ""
    partition: int | None = None  # of a dead one: the lease's, where a command to its step goes


_KINDS = frozenset(Fact.model_fields["fact"].annotation.__args__)  # type: ignore[union-attr]


def read_facts(data: bytes) -> list[Fact]:
    """The facts of one journal record; kinds of a later version are skipped. Raises ValueError."""
    return read_known(data)[0]


def read_known(data: bytes) -> tuple[list[Fact], int]:
    """The same, and how many were skipped. Raises ValueError."""
    entries = from_json(data)
    if not isinstance(entries, list):
        raise ValueError("a journal record is a list of facts")
    known = [entry for entry in entries if isinstance(entry, dict) and str(entry.get("fact")) in _KINDS]
    return [Fact.model_validate(entry) for entry in known], len(entries) - len(known)
