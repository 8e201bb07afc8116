"""`farandole status`: what became of workflows, and what they wait for."""

from collections.abc import Iterable
from typing import Annotated

import typer

from farandole.cli import shapes
from farandole.cli.options import ConfigOption, JsonOption, LogOption, settings, with_client
from farandole.cli.say import emit, lasted, line, moment, rows
from farandole.client import AsyncClient
from farandole.fold import Left, Summary, WorkflowState


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status")(status)


def status(
    workflow: Annotated[
        str | None, typer.Argument(help="A workflow's id, a unique prefix of it, or its input's id.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many workflows, the newest.")] = None,
    as_json: JsonOption = False,
    log: LogOption = None,
    config: ConfigOption = None,
) -> None:
    """Show workflows, newest first; of one, what each step did and what is left."""
    loaded = settings(config, log=log)
    if workflow is not None:
        _show_one(with_client(loaded, lambda client: _one(client, workflow)), as_json=as_json)
        return
    found = with_client(loaded, lambda client: client.workflows())[:limit]
    if as_json:
        emit({"workflows": [shapes.summary(s) for s in found]})
    elif found:
        header = ("WORKFLOW", "STATUS", "STARTED", "TOOK", "INPUT", "DONE", "LEFT", "DEAD")
        rows(header, (_row(s) for s in found))
    else:
        line("no workflows yet; `farandole publish` starts one")


async def _one(client: AsyncClient, name: str) -> WorkflowState:
    return await client.status(await client.find(name))


def _row(s: Summary) -> tuple[object, ...]:
    counts = s.steps.values()
    inputs = " ".join(f"{v.topic} {v.id}" for v in s.inputs[:2]) + (" …" if len(s.inputs) > 2 else "")
    undone = sum(c.waiting + c.retrying + c.parked + c.gathering for c in counts)
    took = lasted(s.updated - s.started)
    done, dead = sum(c.done for c in counts), sum(c.dead for c in counts)
    return s.workflow, s.status, moment(s.started), took, inputs, done, undone, dead


def _show_one(state: WorkflowState, *, as_json: bool) -> None:
    if as_json:
        emit({"workflows": [shapes.state(state)]})
        return
    s = state.summary
    line(f"workflow {s.workflow}: {s.status}")
    line(f"started {moment(s.started)}, last news {moment(s.updated)} (after {lasted(s.updated - s.started)})")
    for view in s.inputs:
        line(f"input {view.type} {view.id} from {view.source}" + ("" if view.key is None else f", key {view.key}"))
    if s.truncated:
        line("older history of this workflow is not in the log any more")
    if s.steps:
        line()
        header = ("STEP", "DONE", "WAITING", "RETRYING", "PARKED", "DEAD", "HELD", "GROUPS OPEN", "ATTEMPTS", "TIME")
        rows(header, (_step_row(name, s) for name in s.steps))
    show_left(state.left)


def _step_row(name: str, s: Summary) -> tuple[object, ...]:
    c = s.steps[name]
    return name, c.done, c.waiting, c.retrying, c.parked, c.dead, c.held, c.gathering, c.attempts, lasted(c.seconds)


def show_left(entries: Iterable[Left]) -> None:
    """What is left, one line each."""
    for number, entry in enumerate(entries):
        if number == 0:
            line()
        line(told(entry))


def told(entry: Left) -> str:
    """One thing that is left, as a sentence."""
    what = f"{entry.type} {entry.id}" if entry.id else f"group {entry.group}"
    since = f" since {moment(entry.since)}" if entry.since else ""
    if entry.kind == "owed":
        gone = "" if entry.moves else " (which no service has any more)"
        return f"{entry.step}{gone} owes an outcome for {what}{since}"
    if entry.kind == "retrying":
        return f"{entry.step} tries {what} again at {moment(entry.due)} (attempt {entry.attempt + 1}): {entry.error}"
    if entry.kind == "dead":
        return f"{entry.step} set {what} aside ({entry.reason}){since}: {entry.error}; dead letter {entry.delivery}"
    if entry.kind == "parked":
        return f"{entry.step} holds {what} behind dead letter {entry.behind}"
    if entry.kind == "group":
        return f"{entry.step} waits for {entry.missing} of group {entry.group}{since}: {_members(entry)}"
    if entry.kind == "unconsumed":
        return f"no step takes {what} of {entry.step}"
    return f"{entry.missing} members of group {entry.group} of {entry.step} are not told of yet"


def _members(entry: Left) -> str:
    parts = []
    for member in entry.members:
        name = member.param if member.index is None else f"{member.param}[{member.index}]"
        ends = ", ".join(f"{e.kind} at {e.step or e.type}" for e in member.ends) or "not seen"
        parts.append(f"{name} {ends}")
    more = entry.missing - len(entry.members)
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")
