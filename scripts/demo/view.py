"""Shows a workflow while it goes on: a table that is drawn anew on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from farandole.fold import StepCount, Summary

_QUIET = 0.5  # seconds between two plain lines
_NOTHING = StepCount(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Row:
    """How one step stands, in deliveries."""

    step: str
    waiting: int
    running: int
    done: int
    failed: int

    @property
    def left(self) -> int:
        """What is still to come, as far as is known now."""
        return self.waiting + self.running


@dataclass(frozen=True, slots=True)
class Pace:
    """How many deliveries a step takes at once, and whether it gathers events before it takes them."""

    at_once: int
    gathers: bool = False


def row_of(step: str, count: StepCount, pace: Pace) -> Row:
    """A step's row.

    The log tells what a step owes, not what it works on: of the deliveries that it owes, as many as it takes at
    once count as running. What still gathers is one delivery that waits, however many members have come.
    """
    if pace.gathers and (count.gathering or not count.held):
        running, waiting = 0, max(count.gathering, min(count.waiting, 1))
    else:
        running = min(count.waiting, pace.at_once)
        waiting = count.waiting - running
    return Row(step, waiting + count.retrying + count.parked, running, count.done, count.failed)


class View:
    """A context; `show` is given each new summary. `paces`: of every step, in the order in which to show them."""

    def __init__(self, paces: Mapping[str, Pace], *, console: Console) -> None:
        self._paces, self._console = paces, console
        self._rows = [row_of(step, _NOTHING, pace) for step, pace in paces.items()]
        self._began = time.monotonic()
        self._live = Live(self, console=console, refresh_per_second=8) if console.is_terminal else None
        self._said, self._said_at = "", 0.0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
        else:
            self._say(at_once=True)

    def show(self, summary: Summary) -> None:
        """The latest state."""
        self._rows = [row_of(step, summary.steps.get(step, _NOTHING), pace) for step, pace in self._paces.items()]
        if self._live is None:
            self._say()

    def __rich__(self) -> Table:
        table = Table("step", box=None, pad_edge=False, header_style="bold")
        for name in ("waiting", "running", "done", "failed"):
            table.add_column(name, justify="right")
        for row in self._rows:
            numbers = (row.waiting, row.running, row.done, row.failed)
            styles = ("yellow", "cyan", "green", "bold red")
            cells = [f"[{style}]{n}[/]" if n else "[dim]·[/]" for n, style in zip(numbers, styles, strict=True)]
            table.add_row(row.step, *cells)
        table.caption = f"{time.monotonic() - self._began:.1f} s"
        return table

    def _say(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        text = told(self._rows)
        if text != self._said and (at_once or now - self._said_at >= _QUIET):
            self._said, self._said_at = text, now
            self._console.print(f"{now - self._began:5.1f} s  {text}")


def told(rows: Sequence[Row]) -> str:
    """One line: how much is done, and the steps that have something left, or failed."""
    parts = [f"{sum(row.done for row in rows)} done"]
    for row in rows:
        numbers = {"waiting": row.waiting, "running": row.running, "failed": row.failed}
        if any(numbers.values()):
            parts.append(f"{row.step} " + ", ".join(f"{n} {name}" for name, n in numbers.items() if n))
    return "; ".join(parts)
