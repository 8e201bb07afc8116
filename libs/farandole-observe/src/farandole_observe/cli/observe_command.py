"""`farandole observe`: a projector, until it is told to stop."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from farandole.cli.options import ConfigOption, LogOption, settings
from farandole.cli.say import remark
from farandole.cli.traced import Traced, open_traced
from farandole.config import Loaded
from farandole.config.redact import redacted_url
from farandole.events.errors import ConfigError
from farandole.log.ports import Log
from farandole.telemetry.logging import configure_logging
from farandole_observe.cli.options import StoreOption, collect_rarely, open_history, store_url
from farandole_observe.projector.replica import Replica
from farandole_observe.projector.shard import Ended
from farandole_observe.store.opening import MEMORY, Store, open_store, own_name
from farandole_observe.traces.roots import Roots


def observe(
    name: Annotated[
        str | None, typer.Option(help="Tells this projector from others of the same store; default: host and pid.")
    ] = None,
    log: LogOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Keep tables of what workflows do; as many of these as you like share the work, and no workflow needs one."""
    loaded = settings(config, log=log, store=store)
    configure_logging(loaded.config.log_level, loaded.config.log_json)
    url = store_url(loaded)
    if url == MEMORY:
        raise ConfigError("store: a projector needs tables that stay; give --store, or set store in farandole.toml")
    collect_rarely()
    traced = open_traced(loaded)
    asyncio.run(_observe(loaded, url, name or own_name(), traced))


async def _observe(loaded: Loaded, url: str, name: str, traced: Traced | None) -> None:
    log = await open_history(loaded)
    try:
        store = await open_store(url)
        remark(f"{name} folds {redacted_url(loaded.config.log)} into {redacted_url(url)}")
        async with _rooted(log, traced) as ended:
            await _fold(Replica(log, store, name, ended=ended), store)
    finally:
        await log.close()


async def _fold(replica: Replica, store: Store) -> None:
    """Until it is told to stop."""
    folding = asyncio.create_task(replica.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, folding.cancel)
    try:
        await asyncio.gather(folding, return_exceptions=False)
    except asyncio.CancelledError:
        remark(f"{replica.name} has stopped")
    finally:
        await store.close()


@asynccontextmanager
async def _rooted(log: Log, traced: Traced | None) -> AsyncIterator[Ended | None]:
    """Whom to tell of ended workflows, so that their root spans are emitted; nobody where nothing is traced."""
    if traced is None:
        yield None
        return
    roots = Roots(log, traced.emit, traced.ratio)
    telling = asyncio.create_task(roots.run())
    try:
        yield roots.ended
        await roots.drain()
    finally:
        telling.cancel()
        await traced.close()
        if roots.dropped:
            remark(f"{roots.dropped} workflows ended without a root span; `farandole traces rebuild` has them")
