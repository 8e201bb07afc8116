"""`farandole run`: services in this process, on one handle on the log, until they are told to stop."""

import asyncio
import gc
import importlib
import signal
import sys
from contextlib import AsyncExitStack
from typing import Annotated, Any

import structlog
import typer

from farandole.cli.codes import Code, code_of, first_cause
from farandole.cli.options import ConfigOption, LogOption, MetricsOption, settings
from farandole.cli.say import remark
from farandole.cli.services import load_services
from farandole.cli.traced import Traced, open_traced
from farandole.cli.unexpected import unexpected
from farandole.config import Loaded
from farandole.engines.open import open_log
from farandole.events.errors import ConfigError, FarandoleError, LogFormatError
from farandole.log.hooks import Hooks
from farandole.runtime.declare import Service
from farandole.runtime.host import Host, Options
from farandole.runtime.remote import make_tools
from farandole.runtime.scratch import sweep
from farandole.telemetry.address import read_address
from farandole.telemetry.compose import compose
from farandole.telemetry.logging import LoggingHooks, configure_logging
from farandole.telemetry.redact import Secrets

_GC_THRESHOLD = 100_000  # the young generation: a batch of events must not set off a collection every few hundred
_SWITCH_INTERVAL = 0.0005  # seconds; the log's writer thread needs the interpreter back soon


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    targets: Annotated[list[str], typer.Argument(metavar="MODULE:SERVICE…", help="Such as tiling.steps:service.")],
    log: LogOption = None,
    metrics: MetricsOption = None,
    config: ConfigOption = None,
) -> int:
    """Run services in this process until SIGTERM or Ctrl-C; exit 78 where one refuses to start."""
    secrets = Secrets()
    try:
        loaded = settings(config, log=log, metrics=metrics)
        configure_logging(loaded.config.log_level, loaded.config.log_json, secrets)
        services, traced = load_services(targets, loaded), open_traced(loaded)
        sys.setswitchinterval(_SWITCH_INTERVAL)
        return asyncio.run(_serve(services, loaded, traced, secrets))
    except asyncio.CancelledError:  # the second signal
        return Code.INTERRUPTED
    except BrokenPipeError:
        raise
    except (Exception, BaseExceptionGroup) as error:
        cause = first_cause(error)
        if isinstance(cause, FarandoleError):
            remark(secrets.hide(str(cause)))
            return code_of(cause, starting=True)
        if isinstance(cause, Exception):
            return unexpected(cause, secrets.hide)
        raise


_FORMS = {True: "json", False: "console", None: ""}


def _options(loaded: Loaded, ratio: float | None, secrets: Secrets) -> Options:
    config = loaded.config
    scratch = "" if config.scratch is None else str(config.scratch)
    if config.scratch is not None:
        try:
            config.scratch.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"scratch {scratch}: {error.strerror}") from error
    assets, roots = config.where_assets_lie, [str(root) for root in config.roots]
    return Options(
        partitions=config.partitions,
        grace=config.grace,
        tools=make_tools(assets, roots, scratch, secrets),
        assets=assets,
        roots=roots,
        logging=f"{config.log_level} {_FORMS[config.log_json]}",
        ratio=ratio,
        secrets=secrets,
    )


def _exposing(loaded: Loaded, ratio: float | None) -> Any:
    """Metrics and probes, where they are switched on; else nothing of them is loaded."""
    if not loaded.config.metrics:
        return None
    module = importlib.import_module("farandole.telemetry.exposing")
    return module.Exposing(
        read_address(loaded.config.metrics), loaded.config.stalled_after, 1.0 if ratio is None else ratio
    )


async def _serve(services: list[tuple[str, Service]], loaded: Loaded, traced: Traced | None, secrets: Secrets) -> int:
    ratio = None if traced is None else traced.ratio
    options, exposing = _options(loaded, ratio, secrets), _exposing(loaded, ratio)
    more = [*([] if exposing is None else [exposing.hooks]), *([] if traced is None else [traced.hooks()])]
    hooks = compose([LoggingHooks(), *more])
    assert hooks is not None
    stop = asyncio.Event()
    _heed_signals(stop)
    for folder in sweep(loaded.config.scratch):
        hooks.noted("removed what a killed process left", folder=str(folder))
    log = await open_log(loaded.config.log, noted=hooks.noted)
    try:
        hosts = [Host(service, log, target=target, hooks=hooks, options=options) for target, service in services]
        async with AsyncExitStack() as stack:
            if exposing is not None:
                serving = exposing.serving(
                    lambda: [s for host in hosts for s in host.standings()], stop.is_set, log.capabilities.engine
                )
                hooks.noted("metrics and probes are served", at=str(await stack.enter_async_context(serving)))
            left, failure = await _all(hosts, stop, [service.name for _, service in services], hooks)
    finally:
        await log.close()
        if traced is not None:
            await traced.close()
    if failure is not None:
        remark(secrets.hide(str(failure)))
        return Code.REFUSED if isinstance(failure, LogFormatError) else Code.FAULT
    if left:
        structlog.get_logger("farandole").warning(
            "left running after the grace; whoever comes next resumes them", deliveries=left
        )
    hooks.noted("stopped", services=[service.name for _, service in services])
    return Code.DONE


async def _all(
    hosts: list[Host], stop: asyncio.Event, names: list[str], hooks: Hooks
) -> tuple[list[str], FarandoleError | None]:
    """Run the hosts to their end: what they left running, and why they ended where that was not asked for.

    When one fails, the others are stopped in order. What fails before all have started is raised.
    """
    started = [asyncio.Event() for _ in hosts]

    async def one(host: Host, begun: asyncio.Event) -> list[str]:
        try:
            return await host.run(stop, begun)
        finally:
            begun.set()
            stop.set()

    tasks = [asyncio.ensure_future(one(host, begun)) for host, begun in zip(hosts, started, strict=True)]
    for begun in started:
        await begun.wait()
    serving = not any(task.done() for task in tasks)
    if serving:
        _settle_down()
        hooks.noted("started", services=names)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    failed = [first_cause(result) for result in results if isinstance(result, BaseException)]
    if failed and not (serving and isinstance(failed[0], FarandoleError)):
        raise failed[0]
    left = [delivery for result in results if isinstance(result, list) for delivery in result]
    return left, next((f for f in failed if isinstance(f, FarandoleError)), None)


def _settle_down() -> None:
    """What was loaded to start stays: no collection need look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 50, 50)


def _heed_signals(stop: asyncio.Event) -> None:
    """The first signal lets what runs finish; the second ends it. The log is whole either way."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def heed() -> None:
        if stop.is_set() and task is not None:
            task.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, heed)
