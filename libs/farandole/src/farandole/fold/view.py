"""What the fold answers: frozen views of a workflow, ready to be printed or written as JSON."""

from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter

from farandole.events.facts import Place
from farandole.events.scope import scope_text
from farandole.fold.left import Left, left_of
from farandole.fold.state import Node, Tally
from farandole.fold.workflow import Shared, Status, Workflow


@dataclass(frozen=True, slots=True)
class EventView:
    """An event (or absence). `scope`: `group:index:size` per level, outermost first. `place` where it is known.

    `cause`: id of the event, or of the group's delivery, that it came from. An absence has the type
    `farandole.absent.v1`; `topic` is the type that it stands for. `time`: seconds, append time of an input,
    end of the delivery that published an output.
    """

    source: str
    id: str
    type: str
    topic: str
    key: str | None
    time: float
    cause: str
    scope: str
    absent: bool
    pending: bool
    place: Place | None


@dataclass(frozen=True, slots=True)
class StepCount:
    """How one step stands in one workflow, in deliveries.

    `waiting`: without an outcome yet (running ones too: only hints would tell). `gathering`: open groups.
    `attempts` that ran, their `seconds` together and the `longest`.
    """

    waiting: int
    retrying: int
    parked: int
    dead: int
    held: int
    completed: int
    discarded: int
    cancelled: int
    gathering: int
    attempts: int
    seconds: float
    longest: float

    @property
    def done(self) -> int:
        """Deliveries that ended, but for members of a group: the group's own delivery counts."""
        return self.completed + self.discarded + self.cancelled

    @property
    def failed(self) -> int:
        """Deliveries that stand dead."""
        return self.dead


@dataclass(frozen=True, slots=True)
class Summary:
    """A workflow at a glance. `moves`: something goes on by itself; where not, waiting longer is in vain.

    `truncated`: some events have no beginning in what was read, so older history is missing. `started` and
    `updated` are append times, in seconds. `steps`: by `service/step`.
    """

    workflow: str
    status: Status
    moves: bool
    truncated: bool
    started: float
    updated: float
    inputs: tuple[EventView, ...]
    steps: dict[str, StepCount]


@dataclass(frozen=True, slots=True)
class WorkflowState:
    """A workflow in full: its summary, what is left of it, and every event of it in causal order."""

    summary: Summary
    left: tuple[Left, ...]
    events: tuple[EventView, ...]

    @property
    def workflow(self) -> str:
        """Its id."""
        return self.summary.workflow

    @property
    def status(self) -> Status:
        """Its status."""
        return self.summary.status

    @property
    def moves(self) -> bool:
        """Whether anything goes on by itself."""
        return self.summary.moves


def summary_of(workflow: Workflow, shared: Shared) -> Summary:
    """The summary; of counters alone, but for the inputs."""
    status, moves = workflow.status(shared)
    steps = shared.topology.steps
    roots = [node for node in workflow.roots.values() if node.counted]
    inputs = sorted((n for n in roots if n.source not in steps), key=_by_time)
    return Summary(
        workflow=workflow.id,
        status=status,
        moves=moves,
        truncated=len(inputs) < len(roots),
        started=workflow.started,
        updated=workflow.updated,
        inputs=tuple(map(event_view, inputs)),
        steps={step: _count(tally) for step, tally in sorted(workflow.tallies.items()) if _any(tally)},
    )


def state_of(workflow: Workflow, shared: Shared) -> WorkflowState:
    """Everything, in time linear in the workflow's size."""
    nodes = list(in_causal_order(workflow))
    return WorkflowState(
        summary=summary_of(workflow, shared),
        left=tuple(left_of(workflow, nodes, shared)),
        events=tuple(map(event_view, nodes)),
    )


def in_causal_order(workflow: Workflow) -> Iterator[Node]:
    """Every event that counts, after its cause where that is known.

    Facts stand in causal order; what none explains comes first, or right after what it says it was caused by.
    """
    roots = sorted((n for n in workflow.roots.values() if n.counted), key=_by_time)
    ids = {node.id for node in workflow.nodes.values()} if any(n.cause for n in roots) else set[str]()
    after: dict[str, list[Node]] = {}
    for node in roots:
        after.setdefault(node.cause if node.cause in ids and node.cause != node.id else "", []).append(node)
    for first in (*after.pop("", ()), *workflow.line):
        stack = [first]
        while stack:
            node = stack.pop()
            yield node
            if after:
                stack.extend(reversed(after.pop(node.id, ())))
    for rest in after.values():  # they name each other as their cause
        yield from rest


def event_view(node: Node) -> EventView:
    """The view of one event."""
    return EventView(
        source=node.source,
        id=node.id,
        type=node.wire,
        topic=node.topic,
        key=node.key,
        time=node.time,
        cause=node.cause,
        scope=scope_text(node.scope),
        absent=node.absent,
        pending=node.pending,
        place=node.place,
    )


_by_time = attrgetter("time", "source", "id")


def _any(tally: Tally) -> bool:
    return bool(tally.gathering or tally.attempts or any(tally.count.values()))


def _count(tally: Tally) -> StepCount:
    count = tally.count
    return StepCount(
        waiting=count["owed"],
        retrying=count["retrying"],
        parked=count["parked"],
        dead=count["dead"],
        held=count["held"],
        completed=count["completed"],
        discarded=count["discarded"],
        cancelled=count["cancelled"],
        gathering=tally.gathering,
        attempts=tally.attempts,
        seconds=tally.seconds,
        longest=tally.longest,
    )
