"""`farandole dashboards`: write Grafana's dashboards and Prometheus' rules for these services."""

import asyncio
import importlib
from pathlib import Path
from typing import Annotated

import typer

from farandole.cli.options import ConfigOption, JsonOption, LogOption, existing_log, settings
from farandole.cli.say import emit, line
from farandole.cli.services import TargetsArgument, chosen_services, topology_of
from farandole.config import Loaded
from farandole.engines.open import open_log
from farandole.events.errors import BadInput, ConfigError
from farandole.files import write_changed
from farandole.fold import Topology
from farandole.log.manifests import read_manifests

_EXTRA = ("grafana_foundation_sdk", "yaml")


def dashboards(
    targets: TargetsArgument = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where grafana/ and prometheus/ stand.")] = Path("deploy"),
    as_json: JsonOption = False,
    log: LogOption = None,
    config: ConfigOption = None,
) -> None:
    """Write dashboards, data sources, alert rules and a scrape configuration; with --log, of what that log knows."""
    if targets and log is not None:
        raise BadInput("--log: name services, or a log that knows them; not both")
    loaded = settings(config, log=log)
    try:
        documents = importlib.import_module("farandole_observe.dashboards.documents")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _EXTRA:
            raise
        raise ConfigError("dashboards need an extra: pip install 'farandole-observe[dashboards]'") from error
    topology = _declared_in(loaded) if log is not None else topology_of(chosen_services(targets, loaded))
    changed = write_changed(out, documents.documents(topology), what="--out")
    if as_json:
        emit({"folder": str(out), "written": changed})
        return
    for name in changed:
        line(f"{out / name}")
    if not changed:
        line(f"{out}: nothing new")


def _declared_in(loaded: Loaded) -> Topology:
    """What the services declared of themselves in the log."""
    existing_log(loaded)

    async def read() -> Topology:
        log = await open_log(loaded.config.log)
        try:
            return Topology.of(await read_manifests(log))
        finally:
            await log.close()

    return asyncio.run(read())
