"""`farandole events`: everything that happened in one workflow, in causal order."""

import json
from typing import Annotated

import typer

from farandole.cli import shapes
from farandole.cli.options import ConfigOption, JsonOption, LogOption, WorkflowArgument, settings, with_client
from farandole.cli.say import emit, line, moment, rows
from farandole.client import AsyncClient
from farandole.events.envelope import Envelope
from farandole.fold import EventView, WorkflowState


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("events")(events)


def events(
    workflow: WorkflowArgument,
    data: Annotated[bool, typer.Option("--data", help="With each event's data.")] = False,
    as_json: JsonOption = False,
    log: LogOption = None,
    config: ConfigOption = None,
) -> None:
    """Show the events of a workflow in causal order: what, by whom, when, and where each stands in the log."""

    async def read(client: AsyncClient) -> tuple[WorkflowState, list[Envelope]]:
        state = await client.status(await client.find(workflow))
        return state, await client.events(state.workflow) if data else []

    state, envelopes = with_client(settings(config, log=log), read)
    if as_json:
        shown = [shapes.event(view) for view in state.events]
        for shape, envelope in zip(shown, envelopes, strict=False):
            shape["data"] = _value(envelope)
        emit({"workflow": state.workflow, "events": shown})
    elif data:
        for view, envelope in zip(state.events, envelopes, strict=True):
            line("  ".join(str(part) for part in _row(view) if part))
            line(f"    {envelope.data.decode('utf-8', 'replace') or '(the log has dropped the data)'}")
    else:
        rows(("TIME", "TYPE", "KEY", "BY", "ID", "PLACE"), (_row(view) for view in state.events))


def _value(envelope: Envelope) -> object:
    """The data as JSON; as text where it is none, null where the log has dropped it."""
    try:
        value: object = json.loads(envelope.data) if envelope.data else None
        json.dumps(value, allow_nan=False)
    except ValueError:
        return envelope.data.decode("utf-8", "replace")
    return value


def _row(view: EventView) -> tuple[str, ...]:
    kind = f"absent: {view.topic}{' (dead letter)' if view.pending else ''}" if view.absent else view.type
    place = "" if view.place is None else "/".join(map(str, view.place))
    return moment(view.time), kind, view.key or "", view.source, view.id, place
