"""What was measured, as model and simulation take it: `make bench-scale` writes the file, nothing else does.

Seconds are of one of the machine's cores or of the clock, sizes are bytes; `about` says of which machine and commit.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

FILE = Path(__file__).with_name("coefficients.json")
Some = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Work(_Part):
    """Seconds of CPU: of a second of standing by, a commit, a partition that one writes to, an event, a byte of it."""

    second: Some = 0.0
    commit: Some = 0.0
    partition: Some = 0.0
    event: Some = 0.0
    byte: Some = 0.0

    def of(self, *, commits: float = 0.0, partitions: float = 0.0, events: float = 0.0, size: float = 0.0) -> float:
        """Seconds for so many, standing by left out; `partitions`: of all commits together, `size`: of one event."""
        return commits * self.commit + partitions * self.partition + events * (self.event + size * self.byte)


class Disk(_Part):
    """Bytes of a broker's disk, for one copy: what an event takes beside its body, a fact, a commit's own marks."""

    event: Some
    fact: Some
    commit: Some


class Member(_Part):
    """What one member of a fan-out that a fan-in gathers costs beside a hop's coefficients: CPU of both, and disk."""

    service: Some
    broker: Some
    disk: Some


class Tables(_Part):
    """One projector into one database: facts it folds a second, bytes that a fact takes in tables, bytes of memory."""

    rate: Positive
    fact: Some
    memory: Some


class Process(_Part):
    """A process of one step: bytes of memory, and of each partition that it holds; connections to one broker."""

    memory: Some
    partition: Some
    connections: Some


class Latency(_Part):
    """Seconds. Quantiles, evenly spaced from 0 to 1, of a commit that follows a pause, and of one that follows another
    at once; `first`, `each`: of a service that always has something to commit, the first delivery of a commit and each
    further one; what publishing and reading take beside; and what the measuring clients took of the CPU, an event.
    """

    alone: tuple[Some, ...] = Field(min_length=2)
    again: tuple[Some, ...] = Field(min_length=2)
    first: Some
    each: Some
    outside: Some
    watching: Some


class Point(_Part):
    """One hop in one process, fed at a rate: commits a second, seconds, and cores that service and broker took."""

    rate: Positive
    commits: Some
    p50: Some
    p99: Some
    service: Some
    broker: Some


class Full(_Part):
    """One hop in one process, as fast as it goes, by the size of its events."""

    size: Positive
    rate: Positive
    cycle: Positive
    service: Some
    broker: Some


class Flood(_Part):
    """Producers that commit one record in each of some partitions, as fast as it goes: commits a second, and cores."""

    producers: int = Field(gt=0)
    partitions: int = Field(gt=0)
    rate: Positive
    broker: Some
    p50: Positive


class Coefficients(_Part):
    """All of it. `replica`: of the brokers, for each copy beyond the first. `residuals`: the largest of each fit."""

    about: Mapping[str, Any]
    service: Work
    broker: Work
    replica: Work
    disk: Disk
    member: Member
    tables: Mapping[str, Tables]
    process: Process
    latency: Latency
    points: tuple[Point, ...]
    full: tuple[Full, ...]
    floods: tuple[Flood, ...]
    residuals: Mapping[str, float]


ALONE = 3.0
"""Load of the machine that the bench makes by itself, at the most."""


def alone(found: Coefficients) -> bool:
    """Whether nothing else ran while these were measured; else the clock told the others' work, too."""
    return min(found.about["load"]) <= ALONE


def load(path: Path = FILE) -> Coefficients:
    """Raises pydantic's ValidationError where the file is not of this shape."""
    return Coefficients.model_validate_json(path.read_bytes())


def save(found: Coefficients, path: Path = FILE) -> None:
    """Replace the file."""
    path.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
