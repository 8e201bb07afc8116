"""`farandole up`: all services of a project on this machine, until Ctrl-C."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from farandole.cli.codes import Code
from farandole.cli.options import ConfigOption, LogOption, MetricsOption, settings
from farandole.cli.outlet import Outlet
from farandole.cli.runfile import RunFile, run_folder
from farandole.cli.say import remark
from farandole.cli.supervise import Child, Supervisor
from farandole.config import Loaded
from farandole.config.load import FILE_VARIABLE
from farandole.events.errors import BadInput
from farandole.telemetry.address import read_address

_MARGIN = 5.0  # seconds that a service has beyond its own grace before it is killed


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("up")(up)


def up(
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODULE:SERVICE…", help="Default: `services` in [up] of farandole.toml."),
    ] = None,
    log: LogOption = None,
    metrics: MetricsOption = None,
    config: ConfigOption = None,
) -> int:
    """Run services, each in a process of its own; restart what dies; one Ctrl-C stops all in order."""
    loaded = settings(config, log=log, metrics=metrics)
    chosen = list(targets or loaded.config.up.services)
    if not chosen:
        place = loaded.file or "farandole.toml"
        raise BadInput(
            f"{place}: up.services: nothing to start; write [up] services = ['tiling.steps:service'], or name them"
        )
    if loaded.config.log.startswith("memory:"):
        raise BadInput("--log memory: is within one process; use sqlite:///…, or `farandole run` for all of them")
    for target in chosen:
        if not all(target.partition(":")):
            raise BadInput(f"{target!r} names no service; write module:attribute, such as tiling.steps:service")
    return asyncio.run(_supervise([Child(name, target) for name, target in _named(chosen)], loaded))


def _named(targets: Iterable[str]) -> list[tuple[str, str]]:
    """Each with a short name of its own: its package's, numbered where several have the same."""
    named: list[tuple[str, str]] = []
    for target in targets:
        stem = target.partition(":")[0].partition(".")[0]
        taken = {name for name, _ in named}
        numbered = (f"{stem}-{number}" for number in range(2, len(named) + 3))
        named.append((stem if stem not in taken else next(n for n in numbered if n not in taken), target))
    return named


async def _supervise(children: list[Child], loaded: Loaded) -> Code:
    metered = {child.name: _metrics(loaded, number) for number, child in enumerate(children, start=1)}
    outlet = Outlet([child.name for child in children])
    file = RunFile(run_folder(loaded))
    supervisor = Supervisor(
        children,
        outlet,
        command=lambda child: [sys.executable, "-m", "farandole", "run", child.target, *metered[child.name]],
        env=_environment(loaded),
        grace=loaded.config.grace + _MARGIN,
        changed=lambda: _tell(file, children),
    )

    def heed() -> None:
        remark("stopping; once more ends it at once")
        supervisor.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup wants it ignored
            loop.add_signal_handler(number, heed)
    try:
        return await supervisor.run()
    finally:
        file.remove()


def _metrics(loaded: Loaded, number: int) -> list[str]:
    """Where the service of that number shows its metrics: the port that is named is left to `farandole observe`."""
    if not loaded.config.metrics:
        return []
    return ["--metrics", str(read_address(loaded.config.metrics).after(number))]


def _tell(file: RunFile, children: list[Child]) -> None:
    if not file.write(children):
        remark("`farandole ps` cannot be told of the services: their file cannot be written")


def _environment(loaded: Loaded) -> dict[str, str]:
    """The services see the settings that we see; their stderr is our pipe, so we say how lines are to look."""
    env = dict(os.environ)
    terminal = sys.stderr.isatty()
    if loaded.config.log_json is None:
        env["FARANDOLE_LOG_FORMAT"] = "console" if terminal else "json"
    if loaded.file is not None:
        env[FILE_VARIABLE] = str(loaded.file)
    if loaded.origins.get(("log",)) == "--log":
        env["FARANDOLE_LOG"] = loaded.config.log
    return env
