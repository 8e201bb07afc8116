"""What the commands share: their options, and a picture of the tables to ask."""

import asyncio
import gc
import importlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from farandole.cli.options import existing_log
from farandole.cli.say import instant, remark
from farandole.config import Loaded
from farandole.engines.open import open_log, sqlite_path
from farandole.events.edge import check_id
from farandole.events.errors import ConfigError
from farandole.log.ports import Log
from farandole_observe.archive.history import History
from farandole_observe.projector.replica import Replica
from farandole_observe.projector.sieve import EVERYTHING, Sieve
from farandole_observe.questions.asking import Picture, picture
from farandole_observe.questions.instants import read_instant
from farandole_observe.store import shards
from farandole_observe.store.opening import MEMORY, Store, open_store, own_name

if TYPE_CHECKING:
    from farandole_observe.archive.files import Archive

T = TypeVar("T")
_NAMED = 5  # steps

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="The tables: sqlite:///path or postgresql://…; default: beside an embedded log.",
    ),
]
RebuildOption = Annotated[bool, typer.Option("--rebuild", help="Fold the log anew instead of asking the tables.")]


def _checked(name: str | None) -> str | None:
    """Before anything is opened, or made."""
    return name if name is None else check_id(name, "workflow")


_NAMES = "A workflow's id, a unique prefix of it, its input's id, or type:key of its input."
WorkflowArgument = Annotated[str, typer.Argument(help=_NAMES, callback=_checked)]
MaybeWorkflow = Annotated[str | None, typer.Argument(help=_NAMES, callback=_checked)]


def store_url(loaded: Loaded) -> str:
    """Where the tables are: as set, or beside an embedded log, or nowhere but in memory."""
    if loaded.config.store:
        return loaded.config.store
    path = sqlite_path(loaded.config.log)
    return MEMORY if path is None else f"sqlite:///{path.with_suffix('.observe.db')}"


def ask(
    loaded: Loaded, work: Callable[[Picture], Awaitable[T]], *, rebuild: bool = False, sieve: Sieve = EVERYTHING
) -> T:
    """As `ask_with_log`, for who needs the tables alone."""

    async def both(seen: Picture, _: Log) -> T:
        return await work(seen)

    return ask_with_log(loaded, both, rebuild=rebuild, sieve=sieve)


def ask_with_log(
    loaded: Loaded, work: Callable[[Picture, Log], Awaitable[T]], *, rebuild: bool = False, sieve: Sieve = EVERYTHING
) -> T:
    """Ask a picture of the tables. Nobody folds into them: then they are brought up to date first.

    `rebuild`, or a `sieve` that lets not everything through: from the log alone. Raises NotFound for a log that is
    not there, ConfigError for a store that cannot be used, LogError.
    """
    existing_log(loaded)
    collect_rarely()
    url = MEMORY if rebuild or sieve is not EVERYTHING else store_url(loaded)

    async def run() -> T:
        log = await open_history(loaded)
        try:
            store = await open_store(url)
            try:
                await _bring_up_to_date(log, store, sieve, fresh=url == MEMORY)
                async with picture(store, log.clock.now()) as seen:
                    return await work(seen, log)
            finally:
                await store.close()
        finally:
            await log.close()

    return asyncio.run(run())


async def open_history(loaded: Loaded) -> Log:
    """The log, and before it what was archived of it, if an archive is named. Raises what `open_log` does."""
    log = await open_log(loaded.config.log)
    return log if loaded.config.archive is None else History(log, open_archive(loaded.config.archive))


def open_archive(folder: Path) -> "Archive":
    """The archive there. Raises ConfigError where nothing is installed that reads one."""
    try:
        files = importlib.import_module("farandole_observe.archive.files")
    except ImportError as error:
        raise ConfigError(f"archive: {error.name} is missing; install farandole-observe[archive]") from error
    archive: Archive = files.Archive(folder)
    return archive


def sieve_at(text: str) -> Sieve:
    """What was there at a time that somebody wrote. Raises BadInput."""
    return Sieve(until=instant_of(text))


def instant_of(text: str) -> float:
    """A time that somebody wrote, as seconds since the epoch. Raises BadInput."""
    found, naive = read_instant(text, time.time())
    if naive:
        remark(f"no zone was named, so it is UTC: {instant(found)}")
    return found


async def _bring_up_to_date(log: Log, store: Store, sieve: Sieve, *, fresh: bool) -> None:
    if not fresh:
        async with store.reading() as connection:
            if await shards.owners(connection, log.clock.now()):
                return  # a projector runs; how old the answer is will be said
    replica = Replica(log, store, f"asked-{own_name()}", sieve)
    try:
        await replica.catch_up()
    finally:
        await replica.close()


def collect_rarely() -> None:
    """Folding makes millions of objects and no cycles: looking for these took two thirds of its time."""
    gc.set_threshold(200_000, 20, 100)


def say_age(seen: Picture) -> None:
    """On stderr, where the answer is not of this moment, or not of all that ever was."""
    if seen.age is None:
        remark("the tables have not caught up with the log yet; what is missing here may still come")
    elif seen.age > 1.0:
        remark(f"as of {seen.age:.0f} s ago")
    if seen.freshness.cut:
        remark(f"{seen.freshness.cut} offsets of the journal were gone before they were read; see `farandole log`")
    if seen.freshness.unknown:
        remark(f"{seen.freshness.unknown} facts are not understood; a newer farandole-observe may know them")
    if seen.undeclared:
        names = ", ".join(seen.undeclared[:_NAMED]) + (", …" if len(seen.undeclared) > _NAMED else "")
        remark(f"no manifest declares {names}: what they take and what is final is not known, only what facts tell")
