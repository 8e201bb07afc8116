"""`AsyncClient`: publish, wait, look and mend, over one handle on the log."""

import asyncio
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from farandole.client import history, letters, publishing
from farandole.client.contracts import Contracts
from farandole.client.letters import DeadLetter, Verb
from farandole.client.observer import Observer
from farandole.client.publishing import Body, Draft, Published
from farandole.config.near import or_else
from farandole.engines.open import open_log
from farandole.events.attributes import check_text
from farandole.events.edge import check_id
from farandole.events.envelope import Envelope
from farandole.events.errors import BadInput, DecodeError, IdConflict, LogError, NotFound
from farandole.events.event import Event
from farandole.events.ids import fingerprint
from farandole.events.manifest import Manifest
from farandole.events.topics import inbox
from farandole.fold import EventView, Summary, WorkflowState
from farandole.log.manifests import read_manifests
from farandole.log.ports import Log
from farandole.log.record import NewRecord, Place

SETTLE = 2.0
"""Seconds for which a workflow that waits for what nobody owes is watched: a service may just be starting."""
_POLL = 30.0
_SHORTEST_PREFIX = 4
_INSIDE_KEPT = 1000


class AsyncClient:
    """`async with AsyncClient("sqlite:///var/log.db") as client:`; a `Log` that is given stays open afterwards.

    `schemas`: a folder of exported schemas that what is published has to fit, for types that it has. For one event
    loop; calls may overlap. Raises LogError where the log cannot be used.
    """

    def __init__(self, log: str | Log, *, schemas: Path | None = None) -> None:
        self._url = log if isinstance(log, str) else ""
        self._contracts = None if schemas is None else Contracts(schemas)
        self._log: Log | None = None if isinstance(log, str) else log
        self._manifests: list[Manifest] = []
        self._topics: frozenset[str] = frozenset()
        # What was published to a topic that no observer follows, for no manifest accepts its type from outside.
        self._inside: deque[tuple[NewRecord, Place]] = deque(maxlen=_INSIDE_KEPT)
        self._observer: Observer | None = None

    async def __aenter__(self) -> Self:
        if self._log is None:
            self._log = await open_log(self._url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give back what was opened. Idempotent."""
        if self._observer is not None:
            await self._observer.close()
            self._observer = None
        if self._url and self._log is not None:
            log, self._log = self._log, None
            await log.close()

    @property
    def log(self) -> Log:
        """The log."""
        if self._log is None:
            raise LogError("the client is not open; use it as `async with AsyncClient(…) as client`")
        return self._log

    # -- publishing -----------------------------------------------------------------------------------------

    async def publish(
        self,
        event: Event | str,
        data: Body | None = None,
        *,
        id: str | None = None,
        source: str = "client",
        workflow: str | None = None,
        traceparent: str | None = None,
    ) -> Published:
        """Publish an event, or a type (`scene.received`) with its JSON; returns when it is durable.

        `id` makes it idempotent: the same id of the same `source` with the same body is taken once, however often
        it is published; drawn where it is not given. `workflow`: the one that it belongs to; else it starts one.
        `traceparent`: W3C Trace Context of what publishes it; the workflow's trace links to that. Raises BadInput for
        what no step could take, IdConflict where the id was published with another body or in another workflow.
        """
        found = await self._known(publishing.draft(event, data))
        event_id = uuid.uuid4().hex if id is None else id
        record = publishing.make_record(
            found, event_id=event_id, source=source, workflow=workflow, traceparent=traceparent
        )
        if any(source == f"{m.service}/{step.name}" for m in self._manifests for step in m.steps):
            raise BadInput(f"source {source!r} is a step; publish under a name of your own")
        try:
            places = await self.log.append([record], identities=[fingerprint(source, event_id)])
        except IdConflict as error:
            text = f"id {event_id!r} of source {source!r} was published before with another body; choose another id"
            raise IdConflict(text) from error
        if not publishing.is_accepted(found, self._manifests):
            self._inside.append((record, places[0]))
        wanted = publishing.workflow_of(event_id, source, workflow)
        first = await self.log.fetch(*places[0]) if id is not None else None
        if first is not None and (before := publishing.workflow_in(first)) != wanted:
            raise IdConflict(f"id {event_id!r} of source {source!r} was published before in workflow {before}; "
                             "choose another id, or that workflow")  # fmt: skip
        return Published(event_id, source, wanted, places[0])

    async def _known(self, found: Draft) -> Draft:
        """The draft as the manifests complete it. Raises BadInput where the log has no such topic."""
        if found.type not in self._topics:
            self._topics = frozenset(spec.name for spec in await self.log.topics())
            self._manifests = await read_manifests(self.log)
        if found.type not in self._topics:
            types = {p.type for m in self._manifests for p in m.published}
            accepted = {p.type for m in self._manifests for p in m.published if p.accepted}
            raise BadInput(
                f"type {found.type!r} is not known to this log{or_else(found.type, accepted or types)}; "
                "a type is known once a service that accepts it has run"
            )
        found = publishing.completed(found, self._manifests)
        if self._contracts is not None:
            self._contracts.check(found)
        return found

    # -- looking --------------------------------------------------------------------------------------------

    async def observe(self) -> Observer:
        """What the log says, read to its present end."""
        if self._observer is None:
            self._observer = Observer(self.log)
        await self._observer.catch_up()
        while self._inside:
            self._observer.add_input(*self._inside.popleft())
        return self._observer

    async def workflows(self) -> list[Summary]:
        """A summary of every workflow, newest first."""
        return (await self.observe()).fold.workflows()

    async def find(self, name: str) -> str:
        """The workflow that `name` means: its id, a unique prefix of it, its input's id, or `type:key` of an input.

        Raises NotFound, or BadInput where there are several.
        """
        check_id(name, "workflow")
        known = await self.workflows()
        ids = [s.workflow for s in known]
        if name in ids:
            return name
        found = [s.workflow for s in known if any(view.id == name for view in s.inputs)]
        event_type, colon, key = name.partition(":")
        if not found and colon:
            found = [s.workflow for s in known if any(_is(view, event_type, key) for view in s.inputs)]
        if not found and len(name) >= _SHORTEST_PREFIX:
            found = [workflow for workflow in ids if workflow.startswith(name)]
        if not found:
            raise NotFound(f"no workflow {name[:80]!r} in this log")
        if len(found) > 1:
            several = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
            raise BadInput(f"{name[:80]!r} means {len(found)} workflows: {several}; write more of the id")
        return found[0]

    async def status(self, workflow: str) -> WorkflowState:
        """All that is known of one workflow now. Raises NotFound."""
        observer = await self.observe()
        return _state(observer, workflow)

    async def wait(
        self,
        workflow: str,
        timeout: float | None = None,
        *,
        expect: str | None = None,
        progress: Callable[[Summary], None] | None = None,
    ) -> WorkflowState:
        """Wait until nothing of the workflow can move by itself any more; its `status` says how it ended.

        complete; dead (dead letters, or parked behind one); waiting (for something that nobody owes). `progress`
        is called with each news. Raises
        TimeoutError after `timeout` seconds, NotFound where the log knows no such workflow, or where it ended
        without an event of the type `expect`.
        """
        observer = await self.observe()
        _state(observer, workflow)
        await self._ended(observer, workflow, timeout, progress or _ignore)
        state = _state(observer, workflow)
        if expect is not None and not has_type(state, expect):
            raise NotFound(f"workflow {workflow} ended ({state.status}) without an event of type {expect!r}")
        return state

    async def _ended(
        self, observer: Observer, workflow: str, timeout: float | None, progress: Callable[[Summary], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        deadline = float("inf") if timeout is None else loop.time() + timeout
        settled = float("inf")  # when what nobody owes will have been waited for long enough
        while True:
            summary = observer.fold.summary(workflow)
            if summary is not None:
                progress(summary)
            if summary is None or summary.moves:
                settled = float("inf")
            elif summary.status != "waiting" or loop.time() >= settled:
                return
            else:
                settled = min(settled, loop.time() + SETTLE)
            patience = min(deadline, settled) - loop.time()
            if deadline - loop.time() <= 0:
                raise TimeoutError(f"workflow {workflow} has not ended after {timeout:g} s")
            await observer.follow(max(0.0, min(patience, _POLL)))

    async def events(self, workflow: str) -> list[Envelope]:
        """Every event of a workflow in causal order, with its data (empty where the log has dropped it).

        Absences are among them. Raises NotFound.
        """
        return await history.envelopes(self.log, await self.status(workflow))

    # -- mending --------------------------------------------------------------------------------------------

    async def dead(self) -> list[DeadLetter]:
        """Every delivery that stands dead, the latest first."""
        return letters.dead_letters((await self.observe()).fold)

    async def redrive(self, *deliveries: str, by: str = "client") -> list[DeadLetter]:
        """Have dead letters tried again, under the same ids; returns once that is asked for, durably.

        Each may be named by a unique prefix. Raises NotFound, BadInput; then nothing was asked for.
        """
        return await self._tell(deliveries, "redrive", by=by, reason="")

    async def discard(self, *deliveries: str, reason: str, by: str = "client") -> list[DeadLetter]:
        """Let dead letters go: what waited behind them goes on, and groups go on without them. As `redrive`."""
        return await self._tell(deliveries, "discard", by=by, reason=reason)

    async def _tell(self, deliveries: Sequence[str], verb: Verb, *, by: str, reason: str) -> list[DeadLetter]:
        try:
            check_text("by", by or " ")
        except DecodeError as error:
            raise BadInput(str(error)) from None
        standing = await self.dead()
        chosen = list(dict.fromkeys(letters.choose(standing, name) for name in deliveries))
        spans = await self.log.spans([inbox(*letter.step.split("/", 1)) for letter in chosen])
        for letter in chosen:
            topic = inbox(*letter.step.split("/", 1))
            count = sum(name == topic for name, _ in spans)
            records = letters.commands(letter, verb, by=by, reason=reason, partitions=count)
            names = [fingerprint(verb, letter.delivery, str(letter.attempt), str(r.partition)) for r in records]
            try:
                await self.log.append(records, identities=names)
            except IdConflict:
                continue  # asked for already, by someone else or for another reason; that stands
        return chosen


def has_type(state: WorkflowState, wanted: str) -> bool:
    """Whether the workflow has an event of this type, given with or without its version."""
    return any(view.type == wanted or view.type.rpartition(".v")[0] == wanted for view in state.events)


def _state(observer: Observer, workflow: str) -> WorkflowState:
    state = observer.fold.workflow(workflow)
    if state is None:
        raise NotFound(f"no workflow {workflow[:80]!r} in this log")
    return state


def _is(view: EventView, event_type: str, key: str) -> bool:
    return view.key == key and event_type in (view.topic, view.type)


def _ignore(_: Summary) -> None:
    """Nobody wants to know."""
