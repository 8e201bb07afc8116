"""A bar, its figure, and how both are shown; knows nothing of what is measured."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure beside what it has to reach. `at_least`: higher is better."""

    name: str
    figure: float
    bar: float
    unit: str
    at_least: bool
    range: tuple[float, float] | None = None
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the bar is reached."""
        return self.figure >= self.bar if self.at_least else self.figure <= self.bar


def ratio_bar(name: str, ratios: Sequence[float], bar: float, *, at_least: bool, note: str = "") -> Bar:
    """The median of paired ratios, with their range."""
    return Bar(name, statistics.median(ratios), bar, "x", at_least, (min(ratios), max(ratios)), note)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie; nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]


def show(bars: Sequence[Bar], console: Console) -> None:
    """The table for people."""
    table = Table("what", "figure", "bar", "range", "", "note", title="Farandole bench")
    for bar in bars:
        span = f"{bar.range[0]:.3g} … {bar.range[1]:.3g}" if bar.range else ""
        sign = "≥" if bar.at_least else "≤"
        verdict = "[green]met[/]" if bar.met else "[red]missed[/]"
        table.add_row(
            bar.name, f"{bar.figure:.3g} {bar.unit}", f"{sign} {bar.bar:g} {bar.unit}", span, verdict, bar.note
        )
    console.print(table)


def as_json(bars: Sequence[Bar]) -> list[dict[str, object]]:
    """The bars for machines."""
    return [asdict(bar) | {"met": bar.met} for bar in bars]
