"""Whether a series of looks at a worker stays flat; measures nothing."""

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.table import Table

from tests.bench.bars import Bar, percentile

FIFTHS = 5
MEMORY = 1.05
"""How much more the last fifth may hold than the second; in the first, caches fill."""
LAG = 1.0
"""Seconds of lag that count as none, for what a commit takes comes and goes."""
LAGGING = 1.5
"""How much more than the second fifth the last may lag, above `LAG`."""


class Look(NamedTuple):
    """`at`, `lag`: seconds. `memory`: bytes resident, the worker's children too, as are threads and descriptors."""

    at: float
    memory: int
    threads: int
    descriptors: int
    lag: float
    handled: int


class Row(NamedTuple):
    """One series by fifths of the time."""

    name: str
    unit: str
    fifths: list[float]


def rows(looks: Sequence[Look]) -> list[Row]:
    """What the bars are about, and what was handled meanwhile. Raises ValueError for fewer than two looks a fifth."""
    if len(looks) < 2 * FIFTHS:
        raise ValueError(f"{len(looks)} looks are too few to say what stays flat; it takes {2 * FIFTHS}")
    parts = [looks[number * len(looks) // FIFTHS : (number + 1) * len(looks) // FIFTHS] for number in range(FIFTHS)]

    def row(name: str, unit: str, of: Callable[[Sequence[Look]], float]) -> Row:
        return Row(name, unit, [of(part) for part in parts])

    return [
        row("resident memory, median", "MiB", lambda part: statistics.median(look.memory for look in part) / 2**20),
        row("threads, most", "", lambda part: max(look.threads for look in part)),
        row("descriptors, most", "", lambda part: max(look.descriptors for look in part)),
        row("lag, p95", "s", lambda part: percentile([look.lag for look in part], 0.95)),
        row("handled a second", "", lambda p: (p[-1].handled - p[0].handled) / (p[-1].at - p[0].at)),
    ]


def judged(found: Sequence[Row]) -> list[Bar]:
    """The last fifth beside the second."""
    memory, threads, descriptors, lag, _ = (row.fifths for row in found)
    return [
        Bar("resident memory, last fifth / second", memory[-1] / memory[1], MEMORY, "x", False),
        Bar("threads, more than in the second fifth", threads[-1] - threads[1], 0, "", False),
        Bar("descriptors, more than in the second fifth", descriptors[-1] - descriptors[1], 0, "", False),
        Bar("lag, p95 of the last fifth", lag[-1], max(LAG, LAGGING * lag[1]), "s", False),
    ]


def table(found: Sequence[Row]) -> Table:
    """For people: a column a fifth."""
    made = Table("what", *(f"fifth {number}" for number in range(1, FIFTHS + 1)), title="Farandole soak on Kafka")
    for row in found:
        made.add_row(row.name, *(f"{value:,.4g} {row.unit}".strip() for value in row.fifths))
    return made
