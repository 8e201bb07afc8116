"""The root span of a workflow that has ended; whoever folds the end emits it, and twice is harmless."""

from collections.abc import Awaitable, Callable
from operator import attrgetter
from typing import NamedTuple

from farandole.events.facts import Place
from farandole.fold import Topology
from farandole.fold.workflow import Workflow
from farandole.telemetry.spans import Input, Span, origin_of, root_span
from farandole_observe.traces.inputs import Cited, Seen

_INPUTS = 32  # of a workflow whose records are looked at: the first of them
_NOWHERE: Place = ("", -1, -1)

Look = Callable[[Cited], Awaitable[Seen | None]]


class End(NamedTuple):
    """A workflow has ended. `at`: append time of the last that was told of it, seconds; `inputs`: type, time, event."""

    workflow: str
    at: float
    inputs: tuple[tuple[str, float, Cited], ...]


def has_ended(workflow: Workflow, *, moves: bool) -> bool:
    """Whether nothing is left of it; `moves`: something goes on by itself."""
    return bool(workflow.counted) and workflow.standing(moves=moves) == "complete"


def end_of(workflow: Workflow, topology: Topology) -> End | None:
    """The end of a workflow that has ended; None where its beginning is not known."""
    roots = sorted((n for n in workflow.roots.values() if n.counted), key=attrgetter("time", "source", "id"))
    if not roots or any(node.source in topology.steps for node in roots):
        return None
    first = roots[:_INPUTS]
    inputs = [
        (node.wire or node.topic, node.time, Cited(node.source, node.id, node.place or _NOWHERE)) for node in first
    ]
    return End(workflow.id, workflow.updated, tuple(inputs))


async def root_of(end: End, look: Look) -> Span:
    """The root span; times and outside contexts are those of the inputs' records, where these are still there."""
    inputs = []
    for wire, time, cited in end.inputs:
        seen = await look(cited)
        if seen is not None:
            inputs.append(Input(wire, seen.time, origin_of(seen.traceparent, end.workflow).outside))
        else:
            inputs.append(Input(wire, time))
    return root_span(end.workflow, inputs, max(end.at, *(one.time for one in inputs)))
