"""`make simulate`: what the simulation says of this machine, beside what was measured, and of what lies beyond it.

    python -m scripts.scale.simulate [--json] [--rate 100000]

Same coefficients, same seed, same figures.
"""

import argparse
import json
import sys
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from scripts.scale import scenes
from scripts.scale.coefficients import Coefficients, load
from scripts.scale.figures import Figures, bars
from scripts.scale.scenes import Agreement, Failure, Wide

RATE = 100_000.0
PROCESSES = (8, 16, 32, 64)
SKEWS = (0.5, 0.8, 1.0)
"""Exponents of Zipf's law, at the second largest number of processes."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """All scenes."""

    agreements: list[Agreement]
    loads: list[tuple[float, Figures]]
    wide: list[Wide]
    failures: list[Failure]

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return {
            "agreements": [each._asdict() | {"off": each.off} for each in self.agreements],
            "loads": [{"load": load, **got.as_json()} for load, got in self.loads],
            "wide": [{"processes": w.processes, "skew": w.skew, **w.figures.as_json()} for w in self.wide],
            "failures": [each._asdict() for each in self.failures],
        }


def main(arguments: list[str]) -> int:
    """Simulate, show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--rate", type=float, default=RATE, help="events a second of the widest dance")
    options = parser.parse_args(arguments)
    got = simulated(load(), options.rate)
    if options.json:
        sys.stdout.write(json.dumps(got.as_json()) + "\n")
    else:
        show(got, options.rate, Console(width=130))
    return 0


def simulated(found: Coefficients, rate: float = RATE) -> Simulated:
    """Every scene."""
    level = [scenes.wide(found, rate, processes) for processes in PROCESSES]
    skewed = [scenes.wide(found, rate, PROCESSES[-2], skew=skew) for skew in SKEWS]
    return Simulated(list(scenes.agreements(found)), scenes.loads(found), level + skewed, scenes.failures(found))


def show(got: Simulated, rate: float, console: Console) -> None:
    """Tables and a picture."""
    agreed = Table("what", "measured", "simulated", "off", "measured by", title="This machine")
    for each in got.agreements:
        values = (f"{value:,.1f} {each.unit}" for value in (each.measured, each.simulated))
        agreed.add_row(each.what, *values, f"{each.off:+.0%}", each.source)
    console.print(agreed)
    for name, which in (("p50", "hop_p50"), ("p99", "hop_p99")):
        rows = [(f"{load:.0%} load", 1000 * getattr(found, which)) for load, found in got.loads]
        console.print(f"\none hop, cores of its own, {name}\n{bars(rows, unit='ms')}", highlight=False)
    console.print()
    wide = Table(
        "processes a step", "skew", "came through", "hop p50, p99", "5 hops p50, p99", "busiest", "brokers", "batch"
    )
    wide.title = f"{rate:,.0f} events/s through five steps"
    for each_wide in got.wide:
        wide.add_row(*row_of(each_wide))
    console.print(wide)
    failed = Table("what", "load", "oldest event", "as before after", title="What fails")
    for failure in got.failures:
        failed.add_row(failure.what, f"{failure.load:.0%}", f"{failure.age:.1f} s", healed(failure))
    console.print(failed)


def row_of(wide: Wide) -> tuple[str, ...]:
    """Of the table of wide dances."""
    got = wide.figures
    return (
        str(wide.processes),
        f"{wide.skew:g}",
        f"{got.rate:,.0f}/s",
        f"{1000 * got.hop_p50:,.0f}, {1000 * got.hop_p99:,.0f} ms",
        f"{1000 * got.whole_p50:,.0f}, {1000 * got.whole_p99:,.0f} ms",
        f"{got.busiest:.0%}",
        f"{got.brokers:.0%}",
        f"{got.batch:,.0f}",
    )


def healed(failure: Failure) -> str:
    """When, in words."""
    return "not within 55 s" if failure.seconds == float("inf") else f"{failure.seconds:.1f} s"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
