"""`farandole explain`: why a workflow is not complete."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from farandole.cli.options import ConfigOption, JsonOption, LogOption, settings
from farandole.cli.say import emit, instant, lasted, line
from farandole_observe.cli.options import RebuildOption, StoreOption, WorkflowArgument, ask, say_age
from farandole_observe.questions.asking import Picture
from farandole_observe.questions.explaining import Cause, Wait, sentences, waits


def explain(
    workflow: WorkflowArgument,
    step: Annotated[
        str | None, typer.Argument(help="Only what concerns this step: service/step, or either of them.")
    ] = None,
    rebuild: RebuildOption = False,
    as_json: JsonOption = False,
    log: LogOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Say what a workflow waits for, who owes it, and how it comes that it is not there."""

    async def work(seen: Picture) -> None:
        state = await seen.state(await seen.find(workflow))
        found = waits(state, seen.topology, step)
        if as_json:
            emit(
                {
                    "workflow": state.workflow,
                    "status": state.status,
                    "waits": [shape(w) for w in found],
                }
                | seen.standing
            )
            return
        say_age(seen)
        line(f"workflow {state.workflow}: {state.status}")
        for text in sentences(found, seen.now, lasted):
            line(text)
        if not found:
            line("nothing is left to do" if state.status == "complete" else f"nothing is left at {step}")

    ask(settings(config, log=log, store=store), work, rebuild=rebuild)


def shape(wait: Wait) -> dict[str, Any]:
    """A wait as JSON: step, param, index, types, group, present, missing, causes."""
    return {
        "step": wait.step,
        "param": wait.param or None,
        "index": wait.index,
        "types": list(wait.types),
        "group": wait.group or None,
        "present": wait.present,
        "missing": wait.missing,
        "causes": [_cause(cause) for cause in wait.causes],
    }


def _cause(cause: Cause) -> dict[str, Any]:
    found = {name: value if value != "" else None for name, value in asdict(cause).items()}
    found["since"] = instant(cause.since) if cause.since else None
    found["due"] = None if cause.due is None else instant(cause.due)
    return found
