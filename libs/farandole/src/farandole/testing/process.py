"""One service as a process of a rehearsal: a handle on the log and a host, which can die at any moment."""

import asyncio
import contextvars
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from farandole.engines.memory.cluster import Cluster
from farandole.engines.memory.faults import HandleKilled
from farandole.engines.memory.log import MemoryLog
from farandole.events.errors import LogUnavailable
from farandole.runtime.context import Tools
from farandole.runtime.declare import Service
from farandole.runtime.host import Host, Options
from farandole.testing.loop import process_here
from farandole.testing.patient import Passing, PatientLog

_INSTANT = 1e-6  # seconds of virtual time: after all that is ready now


class Process:
    """Runs until it is stopped, killed, or its log fails it; `error`: it ended for a reason of its own."""

    def __init__(self, name: str, service: Service, cluster: Cluster, *, options: Options, passing: Passing) -> None:
        self.name, self.service = name, service
        self.killed = False
        self.error: BaseException | None = None
        self.started = asyncio.Event()
        self.left: list[str] = []
        self._cluster = cluster
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[Any]] = []
        tools = options.tools
        own = Tools(tools.store, tools.resolver, tools.scratch)  # its supervision ends with this process
        log = PatientLog(MemoryLog(cluster, name=name), passing)
        self._host = Host(service, log, options=replace(options, worker=name, tools=own))
        self._main: asyncio.Task[list[str]] | None = None

    def start(self, over: Callable[["Process"], None]) -> None:
        """Start it; `over` is called when it has ended."""
        context = contextvars.copy_context()
        context.run(process_here.set, self)
        running = self._host.run(self._stop, self.started)
        self._main = asyncio.get_running_loop().create_task(running, name=self.name, context=context)
        self._main.add_done_callback(lambda _: self._ended(over))

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._main is not None and not self._main.done() and not self.killed

    def kill(self) -> None:
        """As SIGKILL: none of its calls returns, and none of its steps goes on."""
        if self.killed:
            return
        self._cluster.kill(self.name)
        asyncio.get_running_loop().call_later(_INSTANT, self._sweep)
        self.killed = True  # from now on it sets no timer

    async def stop(self) -> None:
        """As SIGTERM; returns when it has ended."""
        self._stop.set()
        await self.gone()

    async def gone(self) -> None:
        """Return when it has ended."""
        if self._main is not None:
            await asyncio.wait((self._main,))

    def keep(self, task: asyncio.Task[Any]) -> None:
        """A task of this process began; a dead one begins none."""
        if self.killed:
            task.cancel()
            return
        self._tasks.append(task)
        if len(self._tasks) > 2000:
            self._tasks = [kept for kept in self._tasks if not kept.done()]

    def _sweep(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()

    def _ended(self, over: Callable[["Process"], None]) -> None:
        main = self._main
        assert main is not None
        error = None if main.cancelled() else main.exception()
        if error is None and not main.cancelled():
            self.left = main.result()
        if not self.killed:
            self.error = None if error is None else _own_fault(error)
            self.kill()  # a process that ends takes its handle and what still runs along
        over(self)


def _own_fault(error: BaseException) -> BaseException | None:
    """What the process itself did wrong; None where only its log failed it, as a real one is started again."""
    if isinstance(error, BaseExceptionGroup):
        return next((own for part in error.exceptions if (own := _own_fault(part)) is not None), None)
    return None if isinstance(error, LogUnavailable | HandleKilled) else error
