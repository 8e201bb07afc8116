"""Root spans from a projector: what it finds ended is looked up and handed on, beside the folding."""

import asyncio
from collections.abc import Callable

import structlog

from farandole.events.errors import LogError
from farandole.events.ids import is_sampled, trace_id
from farandole.fold import Topology
from farandole.fold.workflow import Workflow
from farandole.log.ports import Log
from farandole.telemetry.spans import Span
from farandole_observe.traces.ends import End, end_of, root_of
from farandole_observe.traces.inputs import Cited, Seen, look_at

_WAITING = 10_000  # ends that wait for the log at most; a rebuild has what is dropped


class Roots:
    """Gives `emit` the root span of each workflow that ended, of the share `ratio`. `dropped`: too many at once."""

    def __init__(self, log: Log, emit: Callable[[Span], None], ratio: float) -> None:
        self._log, self._emit, self._ratio = log, emit, ratio
        self._ends: asyncio.Queue[End] = asyncio.Queue(_WAITING)
        self._say = structlog.get_logger("farandole_observe")
        self.dropped = 0

    def ended(self, workflow: Workflow, topology: Topology) -> None:
        """A workflow has ended; called by whoever folds, once the tables say so."""
        if not is_sampled(trace_id(workflow.id), self._ratio):
            return
        end = end_of(workflow, topology)
        if end is None:
            return
        if self._ends.full():
            self.dropped += 1
        else:
            self._ends.put_nowait(end)

    async def run(self) -> None:
        """Emit until cancelled."""
        while True:
            await self._tell(await self._ends.get())

    async def drain(self) -> None:
        """Emit what is left."""
        while not self._ends.empty():
            await self._tell(self._ends.get_nowait())

    async def _tell(self, end: End) -> None:
        try:
            self._emit(await root_of(end, self._look))
        except LogError as error:
            self.dropped += 1
            self._say.warning("a workflow's root span is left to a rebuild", workflow=end.workflow, reason=str(error))

    async def _look(self, cited: Cited) -> Seen | None:
        return await look_at(self._log, cited)
