"""`farandole asset prune`: content that nothing speaks of any more leaves the store, after showing how much that is."""

import asyncio
import sys
from typing import Annotated

import typer

from farandole.assets.open import open_assets
from farandole.cli.asset_command import AssetsOption
from farandole.cli.options import ConfigOption, JsonOption, LogOption, existing_log, settings
from farandole.cli.say import emit, line, remark
from farandole.config import Loaded
from farandole.engines.open import open_log
from farandole.events.durations import seconds
from farandole.events.errors import BadInput
from farandole.log.ports import Stored
from farandole_observe.archive.references import in_log, in_tables
from farandole_observe.cli.options import StoreOption, open_history, store_url
from farandole_observe.store.opening import MEMORY, open_store

_KEPT = "7d"
_EACH = 100_000  # records between two words of progress


def prune(
    keep: Annotated[
        str, typer.Option(metavar="DURATION", help="What was put since stays: an attempt may still be at it.")
    ] = _KEPT,
    archived: Annotated[bool, typer.Option("--archived", help="What only the archive speaks of goes too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    assets: AssetsOption = None,
    log: LogOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Remove content that no event, row, dead letter, archive or table of yours speaks of; show how much that is first.

    With --json nothing is asked: without --yes it only shows.
    """
    kept = seconds(keep, name="--keep")
    loaded = settings(config, log=log, store=store, assets=assets)
    existing_log(loaded)
    held = open_assets(loaded.config.where_assets_lie)
    there = list(held.stored())  # first: what is put later is not looked at, and events of it are read below
    before, spoken_of = asyncio.run(_spoken_of(loaded, kept, archived=archived))
    going = [one for one in there if one.put < before and bytes.fromhex(one.uri[-64:]) not in spoken_of]
    size = sum(one.size for one in going)
    if not as_json:
        line(f"{len(going)} of {len(there)} go, {size} bytes; {len(spoken_of)} are spoken of")
    wanted = bool(going) and (yes or (not as_json and _asked(going)))
    removed = [one for one in going if wanted and held.remove(one.uri, before)]
    if as_json:
        emit({"assets": len(there), "go": [one.uri for one in going], "bytes": size, "removed": len(removed)})
    elif going:
        line(f"{len(removed)} removed" if wanted else "nothing was changed")


async def _spoken_of(loaded: Loaded, kept: float, *, archived: bool) -> tuple[float, set[bytes]]:
    """Before when content has to have been put, and the digests that are needed."""
    log = await (open_log(loaded.config.log) if archived else open_history(loaded))
    try:
        before = log.clock.now() - kept
        found = await in_log(log, _Progress())
    finally:
        await log.close()
    url = store_url(loaded)
    if url != MEMORY:
        store = await open_store(url)
        try:
            async with store.reading() as connection:
                found |= await in_tables(connection)
        finally:
            await store.close()
    return before, found


class _Progress:
    def __init__(self) -> None:
        self._due = _EACH

    def __call__(self, number: int) -> None:
        if number >= self._due:
            remark(f"{number} records read")
            self._due += _EACH


def _asked(going: list[Stored]) -> bool:
    if not sys.stdin.isatty():
        raise BadInput("nobody is there to be asked, and nothing was changed; say --yes")
    return typer.confirm(f"remove {len(going)} for good?", err=True)
