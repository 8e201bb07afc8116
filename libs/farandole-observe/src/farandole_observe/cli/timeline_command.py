"""`farandole timeline`: when what happened in a workflow, as a Gantt chart in the terminal."""

import shutil
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from farandole.cli.options import ConfigOption, JsonOption, LogOption, settings
from farandole.cli.say import emit, instant, lasted, line, moment, rows
from farandole_observe.cli.options import RebuildOption, StoreOption, WorkflowArgument, ask, say_age
from farandole_observe.questions.asking import Picture
from farandole_observe.questions.timing import Bar, bars

_WIDTH = 100  # columns of a line that no terminal bounds
_NARROWEST = 20
_BESIDE = 60  # columns that the names and times take
_MARKS = {"completed": "█", "retrying": "▒", "dead": "×"}


def timeline(
    workflow: WorkflowArgument,
    limit: Annotated[int, typer.Option(min=1, help="Only so many deliveries, the first.")] = 200,
    rebuild: RebuildOption = False,
    as_json: JsonOption = False,
    log: LogOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Show when each delivery waited (·), ran (█), failed and was to be retried (▒), or was set aside (×)."""

    async def work(seen: Picture) -> None:
        found = await seen.workflow(await seen.find(workflow))
        entries = bars(found)
        if as_json:
            shown = [shape(bar) for bar in entries[:limit]]
            emit(
                {
                    "workflow": found.id,
                    "deliveries": shown,
                    "more": max(0, len(entries) - limit),
                }
                | seen.standing
            )
            return
        say_age(seen)
        _draw(entries[:limit], seen.now)
        if len(entries) > limit:
            line(f"and {len(entries) - limit} more; --limit shows them")

    ask(settings(config, log=log, store=store), work, rebuild=rebuild)


def shape(bar: Bar) -> dict[str, Any]:
    """A delivery as JSON: step, type, key, id, state, ready, ended, waited (seconds), attempts."""
    return {
        "step": bar.step,
        "type": bar.type or None,
        "key": bar.key,
        "id": bar.id,
        "state": bar.state,
        "ready": instant(bar.ready),
        "ended": None if bar.ended is None else instant(bar.ended),
        "waited": None if bar.waited is None else round(bar.waited, 6),
        "attempts": [
            {"started": instant(started), "finished": instant(finished), "ending": ending}
            for started, finished, ending in bar.attempts
        ],
    }


def _draw(entries: Sequence[Bar], now: float) -> None:
    if not entries:
        line("no delivery is known yet")
        return
    begin = min(bar.ready for bar in entries)
    end = max(_end(bar, now) for bar in entries)
    width = max(_NARROWEST, shutil.get_terminal_size((_WIDTH + _BESIDE, 0)).columns - _BESIDE)
    line(f"from {moment(begin)}, {lasted(end - begin)} in all, {lasted((end - begin) / width)} a column")
    header = ("STEP", "KEY", "WAITED", "RAN", "")
    rows(header, ((*_said(bar), _strip(bar, begin, end, width=width, now=now)) for bar in entries))


def _end(bar: Bar, now: float) -> float:
    return max([bar.ready, now if bar.ended is None else bar.ended, *(finished for _, finished, _ in bar.attempts)])


def _said(bar: Bar) -> Iterator[object]:
    yield bar.step
    yield bar.key
    yield "" if bar.waited is None else lasted(bar.waited)
    yield lasted(sum(finished - started for started, finished, _ in bar.attempts)) if bar.attempts else bar.state


def _strip(bar: Bar, begin: float, end: float, *, width: int, now: float) -> str:
    """One column is as long as any other; an attempt has one at least."""
    scale = width / (end - begin) if end > begin else 0.0

    def column(time: float) -> int:
        return min(width - 1, max(0, int((time - begin) * scale)))

    cells = [" "] * width
    waiting = bar.attempts[-1][1] if bar.ended is not None and bar.attempts else _end(bar, now)
    for n in range(column(bar.ready), column(waiting) + 1):
        cells[n] = "·"
    for started, finished, ending in bar.attempts:
        for n in range(column(started), column(finished) + 1):
            cells[n] = _MARKS.get(ending, "█")
    return "".join(cells).rstrip()
