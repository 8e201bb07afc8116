"""`farandole topics apply`: makes the topics that services declare, after showing what differs."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from farandole.cli.codes import Code
from farandole.cli.options import ConfigOption, JsonOption, LogOption, settings
from farandole.cli.say import emit, line, remark, rows
from farandole.cli.services import load_services
from farandole.config import Loaded
from farandole.engines.keep import open_keeper
from farandole.events.durations import seconds
from farandole.events.errors import BadInput
from farandole.log.care import Change, Keeper, Wish
from farandole.runtime.declare import Service
from farandole.runtime.ground import domain_topics, ground_of_all


def apply(
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODULE:SERVICE…", help="Default: `services` in [up] of farandole.toml."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    replication: Annotated[
        int | None, typer.Option("--replication", min=1, max=100, metavar="N", help="Copies of each topic (kafka:).")
    ] = None,
    retention: Annotated[
        str | None,
        typer.Option("--retention", metavar="DURATION", help="How long events are kept (kafka:); default: for ever."),
    ] = None,
    as_json: JsonOption = False,
    log: LogOption = None,
    config: ConfigOption = None,
) -> int:
    """Create the topics that services declare, and mend settings; show what differs first. Nothing is deleted.

    With --json nothing is asked: without --yes it only shows. Exit 1 where something is left to be done by hand.
    """
    kept = None if retention is None else seconds(retention, name="--retention")
    if kept is not None and kept < 1:
        raise BadInput(f"--retention {retention}: events would be gone at once; give a day or more")
    loaded = settings(config, log=log)
    services = [service for _, service in load_services(_chosen(targets, loaded), loaded)]
    return asyncio.run(_apply(services, loaded, Wish([], replication=replication, retention=kept), (yes, as_json)))


def _chosen(targets: Sequence[str] | None, loaded: Loaded) -> list[str]:
    chosen = list(targets or loaded.config.up.services)
    if not chosen:
        place = loaded.file or "farandole.toml"
        raise BadInput(f"{place}: up.services: no service declares topics; write [up] services, or name them")
    return chosen


async def _apply(services: Sequence[Service], loaded: Loaded, wish: Wish, how: tuple[bool, bool]) -> int:
    yes, as_json = how
    keeper = await open_keeper(loaded.config.log)
    try:
        there = {spec.name: spec.partitions for spec in await keeper.topics()}
        domain = frozenset[str]().union(*(domain_topics(service) for service in services))
        specs = ground_of_all(services, there, loaded.config.partitions)
        wish = wish._replace(specs=specs, domain=domain)
        changes = await keeper.compare(wish)
        to_do = [change for change in changes if change.action != "by-hand"]
        if not as_json:
            _show(changes, len(specs))
        applied = bool(to_do) and (yes or (not as_json and _asked(len(to_do)))) and await _done(keeper, wish, to_do)
    finally:
        await keeper.close()
    if as_json:
        emit({"changes": [change._asdict() for change in changes], "applied": applied})
    elif to_do:
        line(f"{len(to_do)} applied" if applied else "nothing was changed")
    return Code.DONE if len(to_do) == len(changes) else Code.FAULT


async def _done(keeper: Keeper, wish: Wish, to_do: Sequence[Change]) -> bool:
    await keeper.apply(wish, to_do)
    return True


def _show(changes: Sequence[Change], topics: int) -> None:
    if not changes:
        line(f"{topics} topics are as they are declared")
        return
    header = ("TOPIC", "ACTION", "SETTING", "THERE", "WANTED")
    rows(header, changes)
    if any(change.action == "by-hand" for change in changes):
        remark("what is to be done by hand could lose or reorder records; it is left as it is")


def _asked(number: int) -> bool:
    if not sys.stdin.isatty():
        raise BadInput("nobody is there to be asked, and nothing was changed; say --yes")
    return typer.confirm(f"apply {number} of these?", err=True)
