"""`farandole observe`: a projector, until it is told to stop."""

import asyncio
import signal
from typing import Annotated

import typer

from farandole.cli.options import ConfigOption, LogOption, settings
from farandole.cli.say import remark
from farandole.config import Loaded
from farandole.config.redact import redacted_url
from farandole.events.errors import ConfigError
from farandole.telemetry.logging import configure_logging
from farandole_observe.cli.options import StoreOption, collect_rarely, open_history, store_url
from farandole_observe.projector.replica import Replica
from farandole_observe.store.opening import MEMORY, open_store, own_name


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
    asyncio.run(_observe(loaded, url, name or own_name()))


async def _observe(loaded: Loaded, url: str, name: str) -> None:
    log = await open_history(loaded)
    try:
        store = await open_store(url)
        remark(f"{name} folds {redacted_url(loaded.config.log)} into {redacted_url(url)}")
        folding = asyncio.create_task(Replica(log, store, name).run())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, folding.cancel)
        try:
            await asyncio.gather(folding, return_exceptions=False)
        except asyncio.CancelledError:
            remark(f"{name} has stopped")
        finally:
            await store.close()
    finally:
        await log.close()
