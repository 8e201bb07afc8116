"""`Host`: one service in one process: topics, manifest, a worker a step, forwarders, and an orderly end."""

import asyncio
import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from farandole.assets.open import Whereabouts
from farandole.events import topics
from farandole.events.errors import DeclarationError
from farandole.log.hooks import Hooks
from farandole.log.ports import Log
from farandole.log.standing import Standing
from farandole.runtime.configured import configured
from farandole.runtime.context import Tools
from farandole.runtime.declare import AnyStep, Service
from farandole.runtime.forward import Forwarder
from farandole.runtime.ground import ground
from farandole.runtime.manifests import make_manifest, manifest_record, same_but_for_time
from farandole.runtime.moved import refuse_moved
from farandole.runtime.plan import Plan
from farandole.runtime.pool import ProcessPool
from farandole.runtime.provide import Provided
from farandole.runtime.remote import WorkerSetup
from farandole.runtime.runners import Bench, LoopRunner, ProcessRunner, Runner, ThreadRunner
from farandole.runtime.sources import Sources
from farandole.runtime.start import begin_now
from farandole.runtime.worker import Worker
from farandole.telemetry.redact import Secrets

DEFAULT_PARTITIONS = 4


@dataclass(frozen=True)
class Options:
    """How a host runs its service.

    `inline`: every step on the event loop, for rehearsals. `replaced`: resources (by name) and settings (by
    class name) that stand in for the declared ones. `partitions`: of topics that this service creates. `grace`:
    seconds that what runs is given to end, when the service stops and when a partition goes to another member.
    `assets`: where they lie. `roots` and `logging`: as worker processes are told them (see `WorkerSetup`). `ratio`:
    share of the workflows that are traced, as `traceparent` says it of each event; None: none are. `secrets`: learns
    those of the services' settings.
    """

    partitions: int = DEFAULT_PARTITIONS
    grace: float = 30.0
    inline: bool = False
    replaced: Mapping[str, Any] = field(default_factory=dict)
    tools: Tools = field(default_factory=Tools)
    assets: Whereabouts | None = None
    roots: Sequence[str] = ()
    logging: str = ""
    worker: str = ""
    ratio: float | None = None
    secrets: Secrets = field(default_factory=Secrets)


class Host:
    """Runs the steps of one service on a log. `target`: `module:attribute`, needed for process steps."""

    def __init__(
        self,
        service: Service,
        log: Log,
        *,
        target: str = "",
        hooks: Hooks | None = None,
        options: Options | None = None,
    ) -> None:
        self._service, self._log, self._target, self._hooks = service, log, target, hooks
        self._options = options or Options()
        self._sources = Sources()
        self._workers: list[Worker] = []
        self._forwarders: list[Forwarder] = []
        self._provided = Provided(service, self._options.replaced, self._options.secrets)
        if not service.steps:
            raise DeclarationError(f"service {service.name} declares no step; decorate a function with @service.step")

    async def run(self, stop: asyncio.Event, started: asyncio.Event | None = None) -> list[str]:
        """Serve until `stop` is set; ids of the deliveries that were left running after the grace.

        Raises ConfigError, and DeclarationError for a step whose state would move, before anything runs; LogUnavailable
        when the log does not go on.
        """
        steps = list(self._service.steps.values())
        await self._provided.open(s for s in steps if s.policy.runs != "process" or self._options.inline)
        try:
            await self._prepare(steps)
            plans = [await self._plan(step) for step in steps]
            return await self._serve(plans, stop, started)
        finally:
            self._options.tools.under.stop.set()
            await self._provided.close()

    def standings(self) -> list[Standing]:
        """How each step stands in this process; to be asked on the event loop. Empty before they were started."""
        return [worker.standing() for worker in self._workers]

    async def _serve(self, plans: list[Plan], stop: asyncio.Event, started: asyncio.Event | None) -> list[str]:
        left: list[str] = []
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(self._sources.follow(self._log))]
            for plan in plans:
                if plan.leased == plan.inbox:
                    for topic in sorted(plan.taken):
                        forwarder = Forwarder(plan, topic)
                        self._forwarders.append(forwarder)
                        helpers.append(group.create_task(forwarder.run(self._log)))
                worker = Worker(plan, self._log, self._sources, self._hooks, self._options.grace)
                self._workers.append(worker)
                group.create_task(worker.run(self._runner(plan, worker)))
            if started is not None:
                started.set()
            await stop.wait()
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            for forwarder in self._forwarders:
                await forwarder.close()
            for ids in await asyncio.gather(*(w.stop(self._options.grace) for w in self._workers)):
                left += ids
        return left

    def _runner(self, plan: Plan, worker: Worker) -> Runner:
        step, options = plan.step, self._options
        in_process = step.policy.runs == "process" and not options.inline
        provided = {} if in_process else self._provided.for_step(step)
        tools = options.tools
        if options.inline and step.policy.runs != "async":
            tools = replace(tools, under=replace(tools.under, inline=True))
        bench = Bench(plan, tools, provided, self._hooks, worker.ended)
        if options.inline or step.policy.runs == "async":
            return LoopRunner(bench)
        if step.policy.runs == "thread":
            return ThreadRunner(bench)
        scratch = str(options.tools.scratch or "")
        ratio = "" if options.ratio is None else str(options.ratio)
        assets = "" if options.assets is None else json.dumps(options.assets)
        about = (assets, scratch, options.logging, ratio, options.roots)
        setup = WorkerSetup(self._target, step.name, *about)
        guard = options.tools.under.guard  # one guard for all that this process starts
        pool = ProcessPool("farandole.runtime.remote:serve", setup.args(), size=step.policy.concurrency, guard=guard)
        return ProcessRunner(bench, pool)

    async def _plan(self, step: AnyStep) -> Plan:
        spans = await self._log.spans([topics.JOURNAL])
        host = self._options.worker or f"{socket.gethostname()}:{os.getpid()}"
        limit = self._log.capabilities.record_limit
        clock, ratio = self._log.clock, 1.0 if self._options.ratio is None else self._options.ratio
        secrets = self._options.secrets
        return Plan(step, self._service.version, host, clock, limit, len(spans), ratio, secrets)

    async def _prepare(self, steps: list[AnyStep]) -> None:
        """Create what is missing, then declare the service."""
        there = {spec.name: spec.partitions for spec in await self._log.topics()}
        await self._log.ensure(ground(self._service, there, self._options.partitions))
        await self._sources.load(self._log)
        before = [m for m in self._sources.manifests.values() if m.service == self._service.name]
        refuse_moved(steps, before)
        known = {step.name for manifest in before for step in manifest.steps}
        for step in steps:
            if step.policy.start == "now" and step.name not in known:
                await begin_now(self._log, step)
        settings = {step.name: configured(self._service, step, self._provided) for step in steps}
        manifest = make_manifest(self._service, steps, before, self._log.clock.now(), settings)
        latest = max(before, key=lambda m: m.at, default=None)
        # After a rollback the version that runs has to be the latest one again, for the fold goes by that.
        if not same_but_for_time(manifest, latest):
            await self._log.append([manifest_record(manifest)])
        self._sources.add(manifest)
