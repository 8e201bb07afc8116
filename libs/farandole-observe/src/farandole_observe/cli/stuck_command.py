"""`farandole stuck`: what does not go on as it should, in all workflows."""

from typing import Annotated, Any

import typer

from farandole.cli.options import ConfigOption, JsonOption, LogOption, settings
from farandole.cli.say import emit, instant, lasted, line, rows
from farandole.log.ports import Log
from farandole_observe.cli.options import RebuildOption, StoreOption, ask_with_log, say_age
from farandole_observe.questions.asking import Picture
from farandole_observe.questions.stuck import Stuck
from farandole_observe.questions.stuck import stuck as find_stuck


def stuck(
    limit: Annotated[int, typer.Option(min=1, help="Only so many of a kind and step, the longest standing.")] = 20,
    rebuild: RebuildOption = False,
    as_json: JsonOption = False,
    log: LogOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Show what is overdue, set aside, owed by nobody or taken by nobody, and groups that cannot become complete."""

    async def work(seen: Picture, there: Log) -> None:
        leased = {group for group, leases in (await there.leases()).items() if leases}
        found = await find_stuck(seen, leased, limit)
        if as_json:
            emit({"stuck": [shape(entry) for entry in found]} | seen.standing)
            return
        say_age(seen)
        if not found:
            line("nothing is stuck")
            return
        header = ("KIND", "FOR", "STEP", "WORKFLOW", "WHAT", "WHY")
        rows(header, (_row(entry, seen.now) for entry in found))

    ask_with_log(settings(config, log=log, store=store), work, rebuild=rebuild)


def shape(entry: Stuck) -> dict[str, Any]:
    """kind, workflow, step, type, id, since, limit (seconds), said."""
    return {
        "kind": entry.kind,
        "workflow": entry.workflow or None,
        "step": entry.step,
        "type": entry.type or None,
        "id": entry.id or None,
        "since": instant(entry.since),
        "limit": round(entry.limit, 3) or None,
        "said": entry.said,
    }


def _row(entry: Stuck, now: float) -> tuple[object, ...]:
    limit = f", more than {lasted(entry.limit)}" if entry.limit else ""
    what = " ".join(part for part in (entry.type, entry.id) if part)
    return entry.kind, lasted(now - entry.since), entry.step, entry.workflow, what, entry.said + limit
