"""`farandole topology`: who publishes what, and who takes it."""

from enum import StrEnum
from typing import Annotated

import typer

from farandole.cli.options import ConfigOption, JsonOption, LogOption, settings
from farandole.cli.say import emit, line, remark
from farandole_observe.cli.options import RebuildOption, StoreOption, ask
from farandole_observe.questions import drawing
from farandole_observe.questions.asking import Picture


class Form(StrEnum):
    """How it is drawn."""

    MERMAID = "mermaid"
    DOT = "dot"


def topology(
    form: Annotated[Form, typer.Option("--as", help="The language of the picture.")] = Form.MERMAID,
    rebuild: RebuildOption = False,
    as_json: JsonOption = False,
    log: LogOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Draw what the services declared of themselves."""

    async def work(seen: Picture) -> None:
        if as_json:
            emit(drawing.shape(seen.topology))
            return
        if not seen.topology.steps:
            remark("no service has declared itself in this log yet; start one (farandole up)")
        for text in (drawing.dot if form is Form.DOT else drawing.mermaid)(seen.topology).splitlines():
            line(text)

    ask(settings(config, log=log, store=store), work, rebuild=rebuild)
