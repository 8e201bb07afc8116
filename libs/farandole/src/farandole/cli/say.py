"""What commands print: text for people, JSON for programs, one line for an error; nothing moves the cursor."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_STYLES = {
    **dict.fromkeys(("complete", "up", "ok"), "green"),
    **dict.fromkeys(("waiting", "warn"), "yellow"),
    **dict.fromkeys(("dead", "gone", "fail"), "red"),
    "running": "cyan",
}
_PIPE_WIDTH = 4096  # columns of a line that no terminal bounds


def escaped(text: object) -> str:
    """Text without control, format and other unprintable characters: they come from outside, and stay visible."""
    plain = str(text)
    if plain.isprintable():
        return plain
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in plain)


def line(text: object = "") -> None:
    """One line on stdout."""
    print(escaped(text))


def remark(text: object) -> None:
    """One line on stderr: progress, a hint, an error."""
    print(f"farandole: {escaped(text)}", file=sys.stderr)


def emit(shape: Any) -> None:
    """One line of JSON on stdout, in ASCII."""
    print(json.dumps(shape, allow_nan=False, separators=(",", ":")))


def rows(header: Sequence[str], cells: Iterable[Sequence[object]]) -> None:
    """A table on stdout, in the terminal's width; where it goes elsewhere, one line a row."""
    table = Table(*header, box=None, pad_edge=False, header_style="bold")
    for row in cells:
        table.add_row(*(_cell(cell) for cell in row))
    wide = {} if sys.stdout.isatty() else {"width": _PIPE_WIDTH}
    console = Console(highlight=False, emoji=False, markup=False, **wide)  # type: ignore[arg-type]  # all are
    with console.capture() as captured:  # printed by us: rich ends the process when nobody reads any more
        console.print(table)
    for text in captured.get().splitlines():
        print(text.rstrip())


def _cell(cell: object) -> Text:
    text = "-" if cell is None or cell == "" else escaped(cell)
    return Text(text, style=_STYLES.get(text, ""), overflow="fold")


def instant(seconds: float) -> str:
    """RFC 3339 with milliseconds, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(seconds: float | None) -> str:
    """For people: UTC to the second."""
    return "" if not seconds else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def lasted(seconds: float) -> str:
    """A duration for people, in its two largest units."""
    if seconds < 1:
        return f"{max(0.0, seconds) * 1000:.0f}ms"
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    for size, unit, below, lower in ((86_400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size}{unit}{rest}{lower}" if rest else f"{whole // size}{unit}"
    return f"{whole}s"
