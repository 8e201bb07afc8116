"""`farandole status`: what became of workflows, and what they wait for."""

from dataclasses import replace
from typing import Annotated

import typer

from farandole.cli import shapes
from farandole.cli.left import told
from farandole.cli.options import ConfigOption, JsonOption, LogOption, settings
from farandole.cli.say import emit, lasted, line, moment, remark, rows
from farandole.fold import Status, Summary
from farandole_observe.cli.options import MaybeWorkflow, RebuildOption, StoreOption, ask, say_age, sieve_at
from farandole_observe.projector.sieve import EVERYTHING
from farandole_observe.questions.asking import Picture
from farandole_observe.questions.summaries import Filter, count, summaries
from farandole_observe.questions.tree import Branch, tree

_SHOWN = 100  # workflows, where nothing else is asked for
_LEFT_SHOWN = 20


def status(
    workflow: MaybeWorkflow = None,
    standing: Annotated[
        str | None, typer.Option("--status", help="Only those that are complete, running, dead or waiting.")
    ] = None,
    step: Annotated[str | None, typer.Option(help="Only those of which something is left at service/step.")] = None,
    input_type: Annotated[
        str | None, typer.Option("--type", help="Only those that an event of this type began.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Only so many workflows, the newest.")] = _SHOWN,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="As it was then: RFC 3339, or such as '2h ago'.")
    ] = None,
    rebuild: RebuildOption = False,
    as_json: JsonOption = False,
    log: LogOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Show workflows, newest first; of one, what each step did and what is left."""
    loaded = settings(config, log=log, store=store)
    sieve = EVERYTHING if at is None else sieve_at(at)
    wanted = Filter(status=_status(standing), step=step, input_type=input_type)

    async def work(seen: Picture) -> None:
        if at is not None:
            seen = replace(seen, now=sieve.until, freshness=replace(seen.freshness, seen=sieve.until))
        if workflow is not None:
            await _show_one(seen, workflow, as_json=as_json)
        else:
            await _show_all(seen, wanted, limit, as_json=as_json)

    ask(loaded, work, rebuild=rebuild, sieve=sieve)


def _status(text: str | None) -> Status | None:
    if text is None:
        return None
    for known in ("complete", "running", "dead", "waiting"):
        if text == known:
            return known
    raise typer.BadParameter(f"{text[:40]!r} is none; give complete, running, dead or waiting", param_hint="--status")


async def _show_all(seen: Picture, wanted: Filter, limit: int, *, as_json: bool) -> None:
    found, number = await summaries(seen, wanted, limit), await count(seen, wanted)
    if as_json:
        more = number - len(found)
        emit({"workflows": [shapes.summary(s) for s in found], "more": more} | seen.standing)
        return
    say_age(seen)
    if not found:
        line("no workflows yet; `farandole publish` starts one" if wanted == Filter() else "no such workflows")
        return
    rows(("WORKFLOW", "STATUS", "STARTED", "TOOK", "INPUT", "DONE", "LEFT", "DEAD"), (_row(s) for s in found))
    if number > len(found):
        remark(f"and {number - len(found)} more; --limit shows them")


def _row(s: Summary) -> tuple[object, ...]:
    counts = s.steps.values()
    inputs = " ".join(f"{v.topic} {v.id}" for v in s.inputs[:2]) + (" …" if len(s.inputs) > 2 else "")
    undone = sum(c.waiting + c.retrying + c.parked + c.gathering for c in counts)
    took = lasted(s.updated - s.started)
    done, dead = sum(c.done for c in counts), sum(c.dead for c in counts)
    return s.workflow, s.status, moment(s.started), took, inputs, done, undone, dead


async def _show_one(seen: Picture, name: str, *, as_json: bool) -> None:
    workflow = await seen.workflow(await seen.find(name))
    state = seen.told(workflow)
    if as_json:
        emit({"workflows": [shapes.state(state)], "more": 0} | seen.standing)
        return
    say_age(seen)
    s = state.summary
    line(f"workflow {s.workflow}: {s.status}")
    line(f"started {moment(s.started)}, last news {moment(s.updated)} (after {lasted(s.updated - s.started)})")
    for view in s.inputs:
        line(f"input {view.type} {view.id} from {view.source}" + ("" if view.key is None else f", key {view.key}"))
    if s.truncated:
        line("older history of this workflow is not in the log any more")
    branches = tree(workflow, s.steps, seen.topology)
    if branches:
        line()
        header = (
            "STEP",
            "",
            "DONE",
            "WAITING",
            "RETRYING",
            "PARKED",
            "DEAD",
            "HELD",
            "GROUPS OPEN",
            "ATTEMPTS",
            "TIME",
        )
        rows(header, (_step_row(branch, s) for branch in branches))
    if state.left:
        line()
    for entry in state.left[:_LEFT_SHOWN]:
        line(told(entry))
    if len(state.left) > _LEFT_SHOWN:
        line(f"and {len(state.left) - _LEFT_SHOWN} more; --json names them all")


def _step_row(branch: Branch, s: Summary) -> tuple[object, ...]:
    name = "  " * branch.depth + ("└ " if branch.depth else "") + branch.step
    c = s.steps.get(branch.step)
    if c is None or branch.again:
        return name, "see above" if branch.again else branch.standing, *[""] * 9
    counts = (c.done, c.waiting, c.retrying, c.parked, c.dead, c.held, c.gathering, c.attempts)
    return name, branch.standing, *counts, lasted(c.seconds)
