"""`farandole top`: how each step does just now, again and again."""

import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from farandole.cli.options import ConfigOption, JsonOption, LogOption, settings
from farandole.cli.say import emit, escaped, instant, lasted
from farandole.config import Loaded
from farandole.log.ports import Log
from farandole_observe.cli.options import RebuildOption, StoreOption, ask_with_log, say_age
from farandole_observe.questions.asking import Picture
from farandole_observe.questions.rates import Rate, rates

_HEADER = ("STEP", "A MINUTE", "FAILED", "DEAD", "P50", "P99", "OWED", "OLDEST", "LAG", "WORKERS")


def top(
    every: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
    rebuild: RebuildOption = False,
    as_json: JsonOption = False,
    log: LogOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Show rates, failures, durations, what is owed, lag and workers of each step, until Ctrl-C.

    OWED counts what has no outcome, retries too, and OLDEST says for how long the oldest of it is owed. LAG counts the
    events that are not read yet, and says how old the oldest is that has had no outcome.
    """
    loaded = settings(config, log=log, store=store)
    console = Console(highlight=False, emoji=False, markup=False)
    if as_json:
        found, seen = _look(loaded, rebuild=rebuild)
        emit({"steps": [shape(rate, seen.now) for rate in found]} | seen.standing)
        return
    found, seen = _look(loaded, rebuild=rebuild)
    if once or not console.is_terminal:
        say_age(seen)
        console.print(_table(found, seen.now))
        return
    with Live(_table(found, seen.now), console=console, auto_refresh=False, screen=True) as live:
        while True:
            time.sleep(every)
            found, seen = _look(loaded, rebuild=rebuild)
            live.update(_table(found, seen.now), refresh=True)


def _look(loaded: Loaded, *, rebuild: bool) -> tuple[list[Rate], Picture]:
    async def work(seen: Picture, there: Log) -> tuple[list[Rate], Picture]:
        return await rates(seen, there), seen

    return ask_with_log(loaded, work, rebuild=rebuild)


def shape(rate: Rate, now: float) -> dict[str, Any]:
    """step, completed, failed, dead, a_minute, p50, p99 (seconds), owed, since, lag, lag_seconds, workers."""
    seconds = rate.lag_seconds(now)
    return {
        "step": rate.step,
        "completed": rate.completed,
        "failed": rate.failed,
        "dead": rate.dead,
        "a_minute": round(rate.a_minute, 3),
        "p50": None if rate.p50 is None else round(rate.p50, 6),
        "p99": None if rate.p99 is None else round(rate.p99, 6),
        "owed": rate.owed,
        "since": instant(rate.since) if rate.since else None,
        "lag": rate.lag,
        "lag_seconds": None if seconds is None else round(seconds, 3),
        "workers": sorted(rate.workers),
    }


def _lag(rate: Rate, now: float) -> str:
    seconds = rate.lag_seconds(now)
    return "-" if rate.lag is None else f"{rate.lag}, {lasted(seconds)}" if seconds else str(rate.lag)


def _table(found: list[Rate], now: float) -> Table:
    table = Table(*_HEADER, box=None, pad_edge=False, header_style="bold")
    for rate in found:
        table.add_row(
            escaped(rate.step),
            f"{rate.a_minute:.1f}",
            str(rate.failed or "-"),
            str(rate.dead or "-"),
            "-" if rate.p50 is None else lasted(rate.p50),
            "-" if rate.p99 is None else lasted(rate.p99),
            str(rate.owed or "-"),
            lasted(now - rate.since) if rate.since else "-",
            _lag(rate, now),
            str(len(rate.workers) or "none"),
            style="yellow" if rate.owed and not rate.workers else "",
        )
    return table
