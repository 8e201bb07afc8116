"""Whether the spans of a workflow came: one trace, in it a span for each delivery, and the workflow's own."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from farandole.events.ids import trace_id
from farandole.fold import WorkflowState
from farandole.telemetry import conventions as names
from scripts.compose.project import Project
from scripts.compose.reading import ask


class Seen(NamedTuple):
    """A span that came. `step`: as `service/step`; empty where it is of none."""

    trace: str
    span: str
    name: str
    step: str


def of_receiver(project: Project) -> list[Seen]:
    """What our own receiver has printed."""
    said = project.engine.docker("logs", project.containers()["receiver"].id)
    return [Seen(**json.loads(line)) for line in said.splitlines() if line.startswith("{")]


def of_jaeger(url: str, workflow: str) -> list[Seen]:
    """What Jaeger's query service has of a workflow's trace. Raises OSError, ValueError."""
    trace = trace_id(workflow)
    spans = [span for one in ask(f"{url}/api/traces/{trace}")["data"] for span in one["spans"]]
    return [Seen(span["traceID"], span["spanID"], span["operationName"], _step(span["tags"])) for span in spans]


def missing(state: WorkflowState, spans: Sequence[Seen]) -> list[str]:
    """What the spans lack of a workflow that is complete; a sentence each."""
    trace = trace_id(state.workflow)
    ours = {span.span: span for span in spans if span.trace == trace}
    found = [] if any(span.name.startswith("workflow ") for span in ours.values()) else ["no span of the workflow"]
    steps = Counter(span.step for span in ours.values() if span.name.startswith(("process ", "hold ")))
    for step, count in state.summary.steps.items():
        wanted = count.done + count.held
        if steps[step] < wanted:
            found.append(f"{step}: {steps[step]} spans of {wanted} deliveries")
    others = defaultdict(set)
    for span in spans:
        if span.trace != trace and span.step in state.summary.steps:
            others[span.trace].add(span.step)
    return found + [f"trace {other} has spans of {', '.join(sorted(at))}" for other, at in sorted(others.items())]


def _step(tags: Sequence[dict[str, str]]) -> str:
    return next((tag["value"] for tag in tags if tag["key"] == names.STEP), "")
