"""`farandole observe`: a projector, until it is told to stop."""

import asyncio
import importlib
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated

import typer

from farandole.cli.options import ConfigOption, LogOption, MetricsOption, settings
from farandole.cli.say import remark
from farandole.cli.traced import Traced, open_traced
from farandole.config import Loaded
from farandole.config.redact import redacted_url
from farandole.events.errors import ConfigError
from farandole.log.ports import Log
from farandole.telemetry.address import read_address
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
    metrics: MetricsOption = None,
    config: ConfigOption = None,
) -> None:
    """Keep tables of what workflows do; as many of these as you like share the work, and no workflow needs one."""
    loaded = settings(config, log=log, store=store, metrics=metrics)
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
        try:
            async with AsyncExitStack() as stack:
                ended = await stack.enter_async_context(_rooted(log, traced))
                await _fold(Replica(log, store, name, ended=ended), store, log, loaded, stack)
            remark(f"{name} has stopped")
        finally:
            await store.close()
    finally:
        await log.close()


async def _fold(replica: Replica, store: Store, log: Log, loaded: Loaded, stack: AsyncExitStack) -> None:
    """Until a signal ends it; with metrics and probes where they are switched on."""
    figures = None
    if loaded.config.metrics:
        module = importlib.import_module("farandole_observe.cli.figures")
        where, patience = read_address(loaded.config.metrics), loaded.config.stalled_after
        address, figures = await stack.enter_async_context(module.serving(where, replica, store, log, patience))
        remark(f"metrics and probes are served at {address}")
    folding = asyncio.create_task(replica.run())

    def heed() -> None:
        if figures is not None:
            figures.draining = True
        folding.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, heed)
    try:
        await folding
    except asyncio.CancelledError:
        if not folding.cancelled():
            raise


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
