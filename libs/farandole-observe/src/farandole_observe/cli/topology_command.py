"""`farandole topology`: who publishes what, and who takes it."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from farandole.cli.options import ConfigOption, JsonOption, LogOption, settings
from farandole.cli.say import emit, line, remark
from farandole.config import Loaded
from farandole.events.errors import BadInput
from farandole.events.schema import load
from farandole.log.ports import Log
from farandole_observe.cli.options import RebuildOption, StoreOption, ask_with_log, say_age
from farandole_observe.questions import asyncapi, drawing
from farandole_observe.questions.asking import Picture


class Form(StrEnum):
    """How it is drawn."""

    MERMAID = "mermaid"
    DOT = "dot"
    ASYNCAPI = "asyncapi"


def topology(
    form: Annotated[Form, typer.Option("--as", help="The language of the picture.")] = Form.MERMAID,
    service: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of this service alone; with --as asyncapi.")
    ] = None,
    rebuild: RebuildOption = False,
    as_json: JsonOption = False,
    log: LogOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Draw what the services declared of themselves."""
    if service is not None and form is not Form.ASYNCAPI:
        raise BadInput("--service: only an AsyncAPI document is made of one service; add --as asyncapi")
    loaded = settings(config, log=log, store=store)

    async def work(seen: Picture, opened: Log) -> None:
        if not seen.topology.steps:
            remark("no service has declared itself in this log yet; start one (farandole up)")
        if form is Form.ASYNCAPI:
            made = asyncapi.document(seen.topology, seen.manifests, await _ground(loaded, opened), service)
            say_age(seen)  # its form has no place for it
            emit(made) if as_json else print(json.dumps(made, indent=2))
        elif as_json:
            emit(drawing.shape(seen.topology) | seen.standing)
        else:
            say_age(seen)
            for text in (drawing.dot if form is Form.DOT else drawing.mermaid)(seen.topology).splitlines():
                line(text)

    ask_with_log(loaded, work, rebuild=rebuild)


async def _ground(loaded: Loaded, log: Log) -> asyncapi.Ground:
    """What the log and the folder of contracts tell; of each version its latest revision."""
    partitions = {spec.name: spec.partitions for spec in await log.topics()}
    schemas = {(one.type, one.version): one.schema for one in load(loaded.config.schemas)}
    if not schemas:
        remark(f"no schemas in {loaded.config.schemas}, so payloads stay open; `farandole schemas export` writes them")
    return asyncapi.Ground(loaded.config.log, partitions, schemas)
