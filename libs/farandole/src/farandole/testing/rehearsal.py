"""`Rehearsal`: a whole choreography in one test, synchronous, on virtual time, and as rough as the seed says."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar, overload

from farandole.client import AsyncClient, DeadLetter, Published
from farandole.client import letters as words
from farandole.client.publishing import draft, make_record
from farandole.engines.memory.cluster import Cluster
from farandole.engines.memory.log import MemoryLog
from farandole.engines.memory.loop import VirtualClock
from farandole.events.durations import seconds
from farandole.events.envelope import Envelope
from farandole.events.errors import FarandoleError
from farandole.events.event import Event
from farandole.events.facts import Fact
from farandole.fold import WorkflowState
from farandole.log.record import NewRecord
from farandole.runtime.absence import Absence, json_object, read_absence
from farandole.runtime.context import Tools
from farandole.runtime.declare import Service
from farandole.runtime.host import Options
from farandole.testing.faults import Faults
from farandole.testing.history import History, read_history
from farandole.testing.loop import StageLoop
from farandole.testing.stories import Told
from farandole.testing.troupe import Troupe

T = TypeVar("T")
E = TypeVar("E", bound=Event)

PARTITIONS = 4
TIMERS = 2_000_000
"""Timers of one settling, at most: every wait of a retry, of an operation on the log, of a step that sleeps."""
_COMMAND_AGAIN = 3.0  # seconds within which a word that comes twice comes again


class NeverSettles(FarandoleError):
    """Something still moves after more virtual time, or more steps, than anything should need; names what."""


class Absent(NamedTuple):
    """An absence as it was published: for which type it stands and why, and the envelope with its scope."""

    absence: Absence
    envelope: Envelope


class Rehearsal:
    """`with Rehearsal(tiling, mosaic) as r:`; nothing waits in real time, and the same seed gives the same trace.

    Services run as processes of their own on one memory log; thread and process steps are called inline.
    `replaced`: resources by name, and settings by class name, instead of the declared ones. `tools`: what
    contexts offer (asset store, scratch). `seed`: what everything that is free is drawn from; None leaves nothing
    to chance. `faults`: what befalls the processes; None: nothing. `replicas`: processes a service. Whatever a
    service does wrong itself is raised by the next call.
    """

    def __init__(
        self,
        *services: Service,
        seed: int | None = 0,
        tools: Tools | None = None,
        replaced: Mapping[str, Any] | None = None,
        faults: Faults | None = None,
        partitions: int = PARTITIONS,
        replicas: int = 1,
    ) -> None:
        self._services, self._replicas = services, replicas
        self._loop = StageLoop()
        cluster = Cluster(seed=seed, clock=VirtualClock(self._loop))
        options = Options(partitions=partitions, inline=True, replaced=replaced or {}, tools=tools or Tools())
        self._troupe = Troupe(cluster, options, faults, seed)
        self._log = MemoryLog(cluster, name="audience")
        self._client = AsyncClient(self._log)
        self._published = 0
        self._lost: list[Mapping[str, Any]] = []
        self._loop.set_exception_handler(lambda _, context: self._lost.append(context))

    def __enter__(self) -> Self:
        try:
            self._run(self._troupe.start(self._services, self._replicas))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._run(self._troupe.stop())
                self._run(self._client.close())
        finally:
            self._end()

    # -- what happens ---------------------------------------------------------------------------------------

    def publish(
        self, event: Event, *, id: str | None = None, source: str = "rehearsal", workflow: str | None = None
    ) -> Published:
        """Publish an event as from outside; where the faults say so it comes twice, the second time later."""
        self._published += 1
        name = id if id is not None else f"rehearsed-{self._published}"
        published = self._run(self._client.publish(event, id=name, source=source, workflow=workflow))
        if self._troupe.storm.twice():
            found = draft(event, None)
            again = make_record(found, event_id=name, source=source, workflow=workflow)
            self._append_later([again], self._troupe.storm.within(20.0))
        return published

    def append(self, *records: NewRecord) -> None:
        """Write records as they are, well-formed or not."""
        self._run(self._log.append(records))

    def settle(self, *, within: float | str = "366d", timers: int = TIMERS) -> None:
        """Run until nothing can move any more by itself, however late its retries are due.

        Raises NeverSettles after `within` of virtual time, or after so many timers, naming what still moves; and
        whatever a service raised that no step did.
        """
        began = self._loop.time()
        still = self._loop.run_until_still(seconds=seconds(within), timers=timers)
        self._raise_failures()
        if not still:
            raise NeverSettles(self._what_moves(began))

    def advance(self, duration: float | str) -> None:
        """Let so much virtual time pass."""
        self._run(asyncio.sleep(seconds(duration)))

    def kill(self, service: str) -> None:
        """Every process of the service dies at once and stays down, as after SIGKILL."""
        self._run(self._troupe.take_down(service))

    def pause(self, process: str, duration: float | str) -> None:
        """A process (`service`, `service.2`, …) stands still for so long, as after SIGSTOP and SIGCONT."""
        self._run(self._troupe.stand_still(process, seconds(duration)))

    def stop(self, service: str) -> list[str]:
        """Every process of the service ends in an orderly way, as after SIGTERM; ids of the deliveries left."""
        return self._run(self._troupe.send_away(service))

    def restart(self, service: str) -> None:
        """Start the processes of a service that is down."""
        self._run(self._troupe.bring_back(service))

    def calm(self) -> None:
        """No fault happens from now on."""
        self._troupe.storm.calm()

    @property
    def happened(self) -> list[str]:
        """The faults so far, in their order."""
        return list(self._troupe.storm.happened)

    # -- what is there --------------------------------------------------------------------------------------

    @overload
    def events(self, kind: type[E]) -> list[E]: ...

    @overload
    def events(self, kind: str) -> list[dict[str, Any]]: ...

    def events(self, kind: type[E] | str) -> list[E] | list[dict[str, Any]]:
        """The events of a type by the time they were published, each once; of a type's name as plain data."""
        name = kind if isinstance(kind, str) else kind.event_type.name
        found = [one for one in self.history().events.get(name, ()) if one.envelope is not None]
        found.sort(key=lambda one: (one.record.time, one.record.place))
        distinct = {one.identity: one.envelope for one in reversed(found) if one.envelope is not None}
        envelopes = [e for e in reversed(distinct.values()) if not e.is_absence]
        if isinstance(kind, str):
            return [json_object(envelope.data) for envelope in envelopes]
        return [kind.read(envelope.data) for envelope in envelopes if envelope.version == kind.event_type.version]

    def absences(self) -> list[Absent]:
        """The absences, by topic and in their order there."""
        found = [one.envelope for topic in self.history().events.values() for one in topic]
        read = [
            (read_absence(envelope), envelope) for envelope in found if envelope is not None and envelope.is_absence
        ]
        return [Absent(absence, envelope) for absence, envelope in read if absence is not None]

    def facts(self) -> list[Fact]:
        """The journal, by time."""
        return [told.fact for told in self.told()]

    def told(self) -> list[Told]:
        """The journal with the place of each fact, by time."""
        return self.history().told

    def status(self, workflow: str | Published) -> WorkflowState:
        """A workflow as `farandole.fold` sees it. Raises NotFound."""
        name = workflow if isinstance(workflow, str) else workflow.workflow
        return self._run(self._client.status(name))

    def history(self) -> History:
        """Everything that stands in the log, read raw."""
        groups = [step.producer for service in self._services for step in service.steps.values()]
        topics = {t.event_type.name for s in self._services for p in s.steps.values() for t in p.signature.consumed}
        forwarders = [f"{group}/{topic}" for group in groups for topic in sorted(topics)]
        return self._run(read_history(self._log, [*groups, *forwarders]))

    # -- dead letters ---------------------------------------------------------------------------------------

    def dead_letters(self) -> list[DeadLetter]:
        """Every delivery that stands dead, the latest first."""
        return self._run(self._client.dead())

    def redrive(self, *letters: DeadLetter) -> list[DeadLetter]:
        """Have these dead letters (all, where none is named) tried again; which they were."""
        return self._tell("redrive", letters)

    def discard(self, *letters: DeadLetter) -> list[DeadLetter]:
        """Let these dead letters (all, where none is named) go; which they were."""
        return self._tell("discard", letters)

    def _tell(self, verb: words.Verb, letters: tuple[DeadLetter, ...]) -> list[DeadLetter]:
        chosen = list(letters or self.dead_letters())
        for letter in chosen:
            partitions = len(self._run(self._log.spans([f"{letter.step.replace('/', '.')}.inbox"])))
            records = words.commands(letter, verb, by="rehearsal", reason="rehearsed", partitions=partitions)
            self._run(self._log.append(records))
            if self._troupe.storm.twice():
                self._append_later(records, self._troupe.storm.within(_COMMAND_AGAIN))
        return chosen

    # -- running --------------------------------------------------------------------------------------------

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        self._raise_failures()
        task = self._loop.create_task(work)
        task.add_done_callback(lambda _: self._loop.stop())
        self._loop.run_forever()
        self._raise_failures(task)
        return task.result()

    def _append_later(self, records: list[NewRecord], delay: float) -> None:
        self._loop.call_later(delay, lambda: self._loop.create_task(self._append(records)))

    async def _append(self, records: list[NewRecord]) -> None:
        await self._log.append(records)

    def _raise_failures(self, running: asyncio.Task[Any] | None = None) -> None:
        if self._troupe.failures:
            if running is not None:
                running.cancel()
            name, error = self._troupe.failures.pop(0)
            error.add_note(f"in the process of service {name!r}, at {self._loop.time():.3f} s of the rehearsal")
            raise error

    def _what_moves(self, began: float) -> str:
        since = self._log.clock.now() - (self._loop.time() - began)
        late = Counter(f"{t.step}: {t.fact.fact}" for t in self.told() if t.time >= since)
        named = "; ".join(f"{what} ({count} times)" for what, count in late.most_common(8)) or "no fact was told"
        return f"not settled after {self._loop.time() - began:.0f} s of virtual time; since then: {named}"

    def _end(self) -> None:
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            ended = self._loop.create_task(asyncio.wait(tasks, timeout=60.0))
            ended.add_done_callback(lambda _: self._loop.stop())
            while not ended.done():  # whoever ends may stop the loop, too
                self._loop.run_forever()
        self._loop.close()
