"""What the commands of `farandole projection` share: finding what was declared, opening, and showing rows.

The JSON of `--json`, one shape a command, changed only by adding fields; times are RFC 3339 in UTC, durations seconds:

- `show`: {"projection", "version", "rows": [{column: value…}…], "more", "age", "as_of", "missing", "unread",
  "stopped"}; of decimals the digits as text; `more`: rows that are not shown; `age`: since nothing of the log was
  lacking, null where that was never so, or with `as_of`; `missing`: offsets that were gone from the log before they
  were folded; `unread`: records that were skipped; `stopped`: why it does not go on, or null.
- `snapshot`: {"projection", "version", "snapshot", "rows"}; `snapshot`: its number.
- `rebuild`: {"projection", "version", "snapshot", "rows"}; `snapshot`: the one that it began from, or null; `rows`:
  null where another process folds it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from farandole.cli.options import existing_log
from farandole.cli.say import instant, remark, rows
from farandole.cli.services import import_from
from farandole.config import Loaded
from farandole.events.errors import ConfigError
from farandole.log.ports import Log
from farandole.targets import load_named
from farandole.telemetry.logging import configure_logging
from farandole_observe.cli.options import collect_rarely, open_history
from farandole_observe.projection.columns import compact
from farandole_observe.projection.declare import Projection
from farandole_observe.projection.values import Values
from farandole_observe.store.opening import Store, open_store

T = TypeVar("T")


class Answer(NamedTuple):
    """Rows to be shown, and what has to be said of them; see the shape of `show`."""

    rows: dict[str, Values]
    more: int
    age: float | None
    as_of: float | None
    missing: int
    unread: int
    stopped: str


def load_projections(targets: Sequence[str], loaded: Loaded) -> list[Projection[Any]]:
    """What the targets name; the project's folders come first. Raises ConfigError, DeclarationError."""
    import_from(loaded)
    found = [load_named(target, Projection, example="catalogue.products:products") for target in dict.fromkeys(targets)]
    for what, names in (("name", [p.name for p in found]), ("table", [p.table.name for p in found])):
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"two of the projections have the {what} {name!r}; give one of them another")
    return found


def with_stores(loaded: Loaded, url: str, work: Callable[[Log, Store], Awaitable[T]], *, existing: bool = True) -> T:
    """Run `work` with the log and the store of this URL. Raises NotFound where the log has to be there and is not."""
    if existing:
        existing_log(loaded)
    configure_logging(loaded.config.log_level, loaded.config.log_json)  # what is skipped is told there, on stderr
    collect_rarely()

    async def run() -> T:
        log = await open_history(loaded)
        try:
            store = await open_store(url)
            try:
                return await work(log, store)
            finally:
                await store.close()
        finally:
            await log.close()

    return asyncio.run(run())


def shape(projection: Projection[Any], answer: Answer) -> dict[str, Any]:
    """An answer as `--json` prints it."""
    columns = projection.columns
    return {
        "projection": projection.name,
        "version": projection.version,
        "rows": [{columns.key: key, **columns.to_json(values)} for key, values in answer.rows.items()],
        "more": answer.more,
        "age": None if answer.age is None else round(answer.age, 3),
        "as_of": None if answer.as_of is None else instant(answer.as_of),
        "missing": answer.missing,
        "unread": answer.unread,
        "stopped": answer.stopped or None,
    }


def print_rows(projection: Projection[Any], answer: Answer) -> None:
    """The same for people: the rows, and on stderr what has to be known of them."""
    columns = projection.columns
    names = [column.name for column in projection.table.columns]
    found = ({columns.key: key, **columns.to_json(values)} for key, values in answer.rows.items())
    rows([name.upper() for name in names], ([_cell(row[name]) for name in names] for row in found))
    if answer.more:
        remark(f"and {answer.more} more; --limit shows them")
    if answer.missing:
        remark(f"{answer.missing} offsets were gone from the log before they were folded; what they held is missing")
    if answer.unread:
        remark(f"{answer.unread} records were skipped, for they are no events of these classes")
    if answer.stopped:
        remark(answer.stopped)
    elif answer.as_of is None and answer.age is None:
        remark("the table has not caught up with the log yet; what is missing here may still come")
    elif answer.age is not None and answer.age > 1.0:
        remark(f"as of {answer.age:.0f} s ago")


def rows_said(count: int) -> str:
    """So many rows."""
    return f"{count} row{'s'[: count != 1]}"


def _cell(value: Any) -> Any:
    return compact(value) if isinstance(value, dict | list | bool) else value
