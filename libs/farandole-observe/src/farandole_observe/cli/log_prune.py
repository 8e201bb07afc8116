"""`farandole log prune`: what finished workflows left in the log goes into an archive, after showing what would."""

import asyncio
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from farandole.cli.options import ConfigOption, JsonOption, LogOption, settings
from farandole.cli.say import emit, line, moment, remark, rows
from farandole.config import Loaded
from farandole.engines.open import open_log
from farandole.events.durations import seconds
from farandole.events.errors import BadInput
from farandole.log.ports import Log
from farandole_observe.archive.history import History
from farandole_observe.archive.planning import Bound, Cut, bound, plan
from farandole_observe.archive.retiring import retire
from farandole_observe.cli.options import StoreOption, ask_with_log, open_archive
from farandole_observe.questions.asking import Picture

_KEPT = "30d"


def prune(
    keep: Annotated[str, typer.Option(metavar="DURATION", help="Finished workflows stay for so long.")] = _KEPT,
    archive: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where it goes; default: `archive` in farandole.toml.")
    ] = None,
    no_archive: Annotated[bool, typer.Option("--no-archive", help="Nowhere: it is gone for good.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    log: LogOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Take out of the log what only finished workflows needed; show what that is first.

    With --json nothing is asked: without --yes it only shows.
    """
    kept = seconds(keep, name="--keep")
    loaded = settings(config, log=log, store=store, archive=archive)
    folder = loaded.config.archive
    if no_archive and folder is not None:
        raise BadInput(f"--no-archive: an archive is named ({folder}), and it would have a gap; leave one of them out")
    if folder is None and not no_archive:
        raise BadInput(
            "--archive: name a folder for what leaves the log, or say --no-archive: then it is gone for good"
        )

    async def planned(seen: Picture, whole: Log) -> tuple[Bound, list[Cut]]:
        behind = whole.behind if isinstance(whole, History) else whole
        return await bound(seen, kept), await plan(behind, seen, kept)

    limit, cuts = ask_with_log(loaded, planned)
    going = sum(cut.end - cut.start for cut in cuts)
    if not as_json:
        _show(limit, cuts)
    pruned = bool(going) and (yes or (not as_json and _asked(going, folder)))
    if pruned:
        asyncio.run(_retire(loaded, cuts, quiet=as_json))
    if as_json:
        named = None if folder is None else str(folder)
        emit({"cuts": [cut._asdict() for cut in cuts], "archive": named, "pruned": pruned})
    elif not going:
        line("nothing can leave the log")
    else:
        line(f"{going} offsets left the log" if pruned else "nothing was changed")


async def _retire(loaded: Loaded, cuts: Sequence[Cut], *, quiet: bool) -> None:
    log, folder = await open_log(loaded.config.log), loaded.config.archive

    def done(cut: Cut) -> None:
        if not quiet:
            remark(f"{cut.topic}/{cut.partition} begins at {cut.end} now")

    try:
        await retire(log, cuts, None if folder is None else open_archive(folder), done)
    finally:
        await log.close()


def _show(limit: Bound, cuts: Sequence[Cut]) -> None:
    line(f"what was taken before {moment(limit.time)} may go; then {limit.why}")
    header = ("TOPIC", "OFFSETS", "GO", "STAY BECAUSE")
    rows(header, (_row(topic, list(some)) for topic, some in groupby(cuts, key=lambda cut: cut.topic)))


def _row(topic: str, cuts: Sequence[Cut]) -> tuple[object, ...]:
    going = sum(cut.end - cut.start for cut in cuts)
    return topic, sum(cut.held for cut in cuts), going, "; ".join(sorted({cut.why for cut in cuts} - {""}))


def _asked(number: int, folder: Path | None) -> bool:
    if not sys.stdin.isatty():
        raise BadInput("nobody is there to be asked, and nothing was changed; say --yes")
    where = f"move {number} offsets to {folder}" if folder is not None else f"remove {number} offsets for good"
    return typer.confirm(f"{where}?", err=True)
