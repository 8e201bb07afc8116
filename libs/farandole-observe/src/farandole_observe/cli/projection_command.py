"""`farandole projection`: tables that users declare, kept up to date, shown as they are and as they were."""

import asyncio
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.engine import make_url

from farandole.cli.codes import Code, code_of
from farandole.cli.options import ConfigOption, JsonOption, LogOption, settings
from farandole.cli.say import emit, line, remark
from farandole.config import Loaded
from farandole.config.redact import redacted_url
from farandole.events.errors import ConfigError, FarandoleError, NotFound, ProjectionStopped
from farandole.log.ports import Log
from farandole_observe.cli.options import StoreOption, instant_of, store_url
from farandole_observe.cli.projections import Answer, load_projections, print_rows, rows_said, shape, with_stores
from farandole_observe.projection.opened import Copied, OpenProjection, Rebuilt
from farandole_observe.projection.owner import Owner
from farandole_observe.projection.snapshots import KEPT
from farandole_observe.store.opening import MEMORY, Store, own_name

projection = typer.Typer(help="Tables that you fold from events with two functions.", no_args_is_help=True)

_EXAMPLE = "module:name, such as catalogue.products:products."
Target = Annotated[str, typer.Argument(metavar="TARGET", help=_EXAMPLE)]


@projection.command()
def run(
    targets: Annotated[list[str], typer.Argument(metavar="TARGET…", help=_EXAMPLE)],
    name: Annotated[str | None, typer.Option(help="Tells this process from others; default: host and pid.")] = None,
    log: LogOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> int:
    """Keep tables up to date, until Ctrl-C; of several such processes one folds a table, and others take over.

    A projection whose function fails stops, and no other does; exit 1 at the end then.
    """
    loaded = settings(config, log=log, store=store)
    found, url, own = load_projections(targets, loaded), _lasting(loaded), name or own_name()

    async def work(log: Log, store: Store) -> int:
        for one in found:
            remark(f"{own} folds {one.name}, version {one.version}, into {one.table.name} of {redacted_url(url)}")
        failed: list[int] = []
        running = asyncio.create_task(_run_all([Owner(one, log, store, own) for one in found], failed))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, running.cancel)
        with suppress(asyncio.CancelledError):
            await running
        remark(f"{own} has stopped")
        return max(failed, default=Code.DONE)

    return with_stores(loaded, url, work, existing=False)


async def _run_all(owners: Iterable[Owner], failed: list[int]) -> None:
    """Until all have failed, for what is wrong with one stops no other; each failure's code is noted."""

    async def one(owner: Owner) -> None:
        try:
            await owner.run()
        except FarandoleError as error:
            remark(error)
            failed.append(code_of(error))

    async with asyncio.TaskGroup() as group:
        for owner in owners:
            group.create_task(one(owner))


@projection.command()
def show(
    target: Target,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="TIME", help="As it was then: RFC 3339, or such as '2h ago'.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Only the row of this key.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Only so many rows, the first.")] = 100,
    as_json: JsonOption = False,
    log: LogOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> int:
    """Show the rows; where no process keeps them, they are brought up to date first. Exit 1 where it has stopped."""
    loaded = settings(config, log=log, store=store)
    (one,) = load_projections([target], loaded)
    time = None if as_of is None else instant_of(as_of)

    async def now(log: Log, store: Store) -> Answer:
        opened = OpenProjection(one, log, store)
        with suppress(ProjectionStopped):  # the store knows why, and so will who looks
            await opened.catch_up()
        seen = await opened.look(key=key, limit=limit)
        stands, more = seen.standing, seen.number - len(seen.rows)
        return Answer(seen.rows, more, opened.age(seen), None, stands.cut, stands.unread, stands.stopped)

    async def then(log: Log, store: Store) -> Answer:
        assert time is not None
        found = await OpenProjection(one, log, store).as_of(time)
        keys = [k for k in sorted(found.rows) if key in (None, k)]
        rows = {k: found.rows[k] for k in keys[:limit]}
        return Answer(rows, len(keys) - len(rows), None, time, found.missing, found.unread, "")

    url = store_url(loaded)
    answer = with_stores(loaded, url, now) if time is None else with_stores(loaded, _if_there(url), then)
    if key is not None and not answer.rows:
        raise NotFound(f"projection {one.name!r} has no row {key[:80]!r}" + ("" if time is None else " of that time"))
    emit(shape(one, answer)) if as_json else print_rows(one, answer)
    return Code.FAULT if answer.stopped else Code.DONE


@projection.command()
def snapshot(
    target: Target,
    keep: Annotated[int, typer.Option(min=1, help="Older ones than so many are deleted.")] = KEPT,
    as_json: JsonOption = False,
    log: LogOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Keep a copy of the rows, with the positions that they stand for; `--as-of` and `rebuild` begin from these."""
    loaded = settings(config, log=log, store=store)
    (one,) = load_projections([target], loaded)

    async def work(log: Log, store: Store) -> Copied:
        return await OpenProjection(one, log, store).snapshot(kept=keep)

    number, count = with_stores(loaded, _lasting(loaded), work)
    if as_json:
        emit({"projection": one.name, "version": one.version, "snapshot": number, "rows": count})
    else:
        line(f"snapshot {number} of {one.name}: {rows_said(count)}")


@projection.command()
def rebuild(
    target: Target,
    from_snapshot: Annotated[
        bool, typer.Option("--from-snapshot", help="Begin from the latest snapshot, not from the beginning of the log.")
    ] = False,
    as_json: JsonOption = False,
    log: LogOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Drop the table and fold it again; whoever folds it just now is fenced, and goes on with the new one."""
    loaded = settings(config, log=log, store=store)
    (one,) = load_projections([target], loaded)

    async def work(log: Log, store: Store) -> Rebuilt:
        return await OpenProjection(one, log, store).rebuild(from_snapshot=from_snapshot)

    begun, count = with_stores(loaded, _lasting(loaded), work)
    if as_json:
        emit({"projection": one.name, "version": one.version, "snapshot": begun, "rows": count})
    else:
        begin = "the beginning of the log" if begun is None else f"snapshot {begun}"
        line(f"{one.name}, from {begin}: " + ("another process folds it" if count is None else rows_said(count)))


def _lasting(loaded: Loaded) -> str:
    url = store_url(loaded)
    if url == MEMORY:
        raise ConfigError("store: this needs tables that stay; give --store, or set store in farandole.toml")
    return url


def _if_there(url: str) -> str:
    """Nothing is written for a question of the past, a file of tables neither."""
    if url.startswith("sqlite:"):
        path = make_url(url).database
        return url if path and Path(path).exists() else MEMORY
    return url
