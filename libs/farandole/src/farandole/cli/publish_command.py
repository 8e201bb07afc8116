"""`farandole publish`: an event from outside, and, if wanted, the wait for what comes of it."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from farandole.cli import shapes
from farandole.cli.codes import Code
from farandole.cli.left import told
from farandole.cli.options import ConfigOption, JsonOption, LogOption, again, settings, with_client
from farandole.cli.progress import Progress
from farandole.cli.say import emit, line, remark
from farandole.client import AsyncClient, Published
from farandole.client.aclient import has_type
from farandole.config import Loaded
from farandole.events.attributes import match_traceparent
from farandole.events.durations import seconds
from farandole.events.errors import BadInput
from farandole.events.event import check_type_name
from farandole.events.limits import VALUE_LIMIT
from farandole.files import read_regular
from farandole.fold import WorkflowState

_CODES = {"complete": Code.DONE, "running": Code.TIMED_OUT, "dead": Code.DEAD, "waiting": Code.DEAD}


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("publish")(publish)


def publish(
    type_name: Annotated[str, typer.Argument(metavar="TYPE", help="The event's type, such as scene.received.")],
    data: Annotated[
        str, typer.Option(metavar="@FILE|-|JSON", help="The event's JSON, where to read it, or - (stdin).")
    ],
    event_id: Annotated[
        str | None,
        typer.Option("--id", help="The event's id: publishing it again under this id changes nothing."),
    ] = None,
    source: Annotated[str, typer.Option(help="Who publishes; an id is unique within its source.")] = "client",
    workflow: Annotated[str | None, typer.Option(help="The workflow that it belongs to; else it starts one.")] = None,
    traceparent: Annotated[
        str | None,
        typer.Option(
            help="W3C Trace Context of what publishes it, to be linked to; default: TRACEPARENT, if it is one."
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until nothing of the workflow moves any more.")] = False,
    timeout: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Wait at most so long, such as 90s or 10m.")
    ] = None,
    expect: Annotated[
        str | None, typer.Option(metavar="TYPE", help="Wait; exit 3 where no event of this type came of it.")
    ] = None,
    as_json: JsonOption = False,
    log: LogOption = None,
    config: ConfigOption = None,
) -> int:
    """Publish an event; with --wait, exit 0 when all that came of it is complete, 3 when something is left."""
    limit = None if timeout is None else seconds(timeout, name="--timeout")
    if expect is not None and (wrong := check_type_name(expect.rpartition(".v")[0] or expect)):
        raise BadInput(f"--expect {expect[:80]!r}: {wrong}")
    body = _body(data)
    loaded, trace = settings(config, log=log), traceparent or _traceparent()
    waits = wait or timeout is not None or expect is not None
    done: list[Published] = []

    async def run(client: AsyncClient) -> WorkflowState | None:
        published = client.publish(type_name, body, id=event_id, source=source, workflow=workflow, traceparent=trace)
        done.append(await published)
        if not as_json:
            line(f"published {type_name} {done[0].id}, workflow {done[0].workflow}")
            sys.stdout.flush()  # the wait may be long
        return await _wait(client, done[0].workflow, limit) if waits else None

    try:
        state = with_client(loaded, run)
    except KeyboardInterrupt:
        return _interrupted(done, loaded, as_json=as_json)
    if as_json:
        emit(_shape(done[0], state))
    return Code.DONE if state is None else _ended(state, expect, loaded, as_json=as_json)


def _traceparent() -> str | None:
    """What the environment says, as build systems do; what is none must not keep an event from being published."""
    found = os.environ.get("TRACEPARENT", "")
    return found if match_traceparent(found) else None


def _body(data: str) -> bytes:
    if data == "-":
        if sys.stdin is None:
            raise BadInput("--data: stdin is closed; give @FILE or the JSON itself")
        body = sys.stdin.buffer.read(VALUE_LIMIT + 1)
    elif data.startswith("@"):
        body = read_regular(Path(data[1:]), what="--data", limit=VALUE_LIMIT * 16)
    else:
        return data.encode()
    if not body.strip():
        raise BadInput("--data: nothing was read; give the event's JSON, such as {}")
    return body


async def _wait(client: AsyncClient, workflow: str, limit: float | None) -> WorkflowState:
    with Progress() as progress:
        try:
            return await client.wait(workflow, limit, progress=progress.show)
        except TimeoutError:
            return await client.status(workflow)


def _ended(state: WorkflowState, expect: str | None, loaded: Loaded, *, as_json: bool) -> int:
    code = _CODES[state.status]
    if not as_json:
        line(f"workflow {state.workflow}: {state.status}")
    if code is Code.TIMED_OUT:
        remark(f"--timeout passed; it goes on: {again(f'status {state.workflow}', loaded)}")
        return code
    for entry in state.left[:20]:
        remark(told(entry))
    if expect is not None and not has_type(state, expect):
        remark(f"no event of type {expect!r} came of it")
        return Code.DEAD
    return code


def _interrupted(done: list[Published], loaded: Loaded, *, as_json: bool) -> int:
    if done and as_json:
        emit(_shape(done[0], None))
    if done:
        remark(f"the waiting has ended, the workflow goes on: {again(f'status {done[0].workflow}', loaded)}")
    return Code.INTERRUPTED


def _shape(published: Published, state: WorkflowState | None) -> shapes.Json:
    topic, partition, offset = published.place
    shape: shapes.Json = {"id": published.id, "source": published.source, "workflow": published.workflow}
    shape |= {"topic": topic, "partition": partition, "offset": offset}
    if state is not None:
        shape |= {"status": state.status, "left": [shapes.left(entry) for entry in state.left]}
    return shape
