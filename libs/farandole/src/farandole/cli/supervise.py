"""Keeps services running, each in a process of its own, restarts what dies, and leaves nothing behind."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from farandole.cli.codes import Code
from farandole.cli.outlet import Outlet
from farandole.runtime.guarded import Guard, Guarded, Spec

State = Literal["starting", "running", "restarting", "refused", "stopped"]
FIRST_DELAY = 0.25  # seconds before what died is started again; doubled each time
LONGEST_DELAY = 30.0
HEALTHY_AFTER = 10.0  # seconds of running after which the next delay is the first again
_PATIENCE = 5.0  # seconds in which the output of a process that has ended must have ended too
_CHUNK = 1 << 16


@dataclass(slots=True)
class Child:
    """One supervised service. `since`: when it came into its state, seconds since the epoch."""

    name: str
    target: str
    state: State = "starting"
    pid: int | None = None
    since: float = 0.0
    restarts: int = 0
    guarded: Guarded | None = None


class Supervisor:
    """Runs one process a child. What it starts ends with it, however it ends: a guard process sees to that.

    `command` gives a child's program and arguments, `env` its environment. `changed` is called after every change
    of a child's state. `grace`: seconds that a child has to end when it is told to.
    """

    def __init__(
        self,
        children: Sequence[Child],
        outlet: Outlet,
        *,
        command: Callable[[Child], list[str]],
        env: Mapping[str, str],
        grace: float,
        changed: Callable[[], None],
    ) -> None:
        self.children = children
        self._outlet, self._command, self._env, self._grace, self._changed = outlet, command, env, grace, changed
        self._guard = Guard()
        self._stop = asyncio.Event()
        self._killed = False

    def stop(self) -> None:
        """End all children in order; called again: at once."""
        self._killed = self._stop.is_set()
        self._stop.set()
        for child in self.children:
            if child.guarded is not None:
                child.guarded.kill() if self._killed else child.guarded.stop()

    async def run(self) -> Code:
        """Until `stop`, or until every child has refused to start."""
        try:
            async with asyncio.TaskGroup() as group:
                for child in self.children:
                    group.create_task(self._keep(child))
        finally:
            await asyncio.to_thread(self._guard.close)
        if self._killed:
            return Code.INTERRUPTED
        return Code.REFUSED if all(child.state == "refused" for child in self.children) else Code.DONE

    async def _keep(self, child: Child) -> None:
        delay = FIRST_DELAY
        while not self._stop.is_set():
            begun = time.monotonic()
            code = await self._once(child)
            if self._stop.is_set():
                break
            if code == Code.REFUSED:
                self._move(child, "refused")
                self._outlet.say(child.name, "refuses to start (exit 78); the others go on")
                return
            delay = FIRST_DELAY if time.monotonic() - begun >= HEALTHY_AFTER else delay
            child.restarts += 1
            self._move(child, "restarting")
            self._outlet.say(child.name, f"{_ended(code)}; starts again in {delay:g} s")
            await self._pause(delay)
            delay = min(2 * delay, LONGEST_DELAY)
        self._move(child, "stopped")

    async def _once(self, child: Child) -> int | None:
        """One process from its start to its end; its exit code (negative: a signal's number), None: unknown."""
        argv = self._command(child)
        self._move(child, "starting")
        ends = [os.pipe(), os.pipe()]
        nothing = os.open(os.devnull, os.O_RDONLY)
        reading: list[asyncio.Task[None]] = []
        try:
            spec = Spec(argv[0], argv, self._env, os.getcwd(), grace=self._grace)
            guarded = self._guard.start(spec, [nothing, ends[0][1], ends[1][1]])
        finally:
            for fd in (nothing, ends[0][1], ends[1][1]):
                os.close(fd)
        child.guarded = guarded
        try:
            sinks = (self._outlet.stdout, self._outlet.stderr)
            reading = [
                asyncio.ensure_future(self._copy(child.name, read, sink))
                for (read, _), sink in zip(ends, sinks, strict=True)
            ]
            await self._watch(child, guarded)
        finally:
            child.guarded = None
            guarded.close()
            await _rest(reading)
        return guarded.code

    async def _watch(self, child: Child, guarded: Guarded) -> None:
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        guarded.control.setblocking(False)

        def report() -> None:
            with suppress(BlockingIOError):
                guarded.receive()
            if guarded.pid is not None and child.pid != guarded.pid and not guarded.over:
                child.pid = guarded.pid
                self._move(child, "running")
            if guarded.over:
                over.set()

        loop.add_reader(guarded.control, report)
        try:
            await over.wait()
        finally:
            loop.remove_reader(guarded.control)
            child.pid = None

    async def _copy(self, name: str, fd: int, sink: Callable[[str, bytes], bool]) -> None:
        """A child's output, line by line, to ours; a reader that has gone ends everything."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_CHUNK)
        pipe = os.fdopen(fd, "rb", buffering=0)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        try:
            while text := await _line(reader):
                if not sink(name, text) and not self._stop.is_set():
                    self.stop()
        finally:
            transport.close()  # and the pipe with it

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()

    def _move(self, child: Child, state: State) -> None:
        child.state, child.since = state, time.time()
        self._changed()


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next line, or as much of it as is kept of a line without end; empty at the end of all."""
    try:
        return await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await reader.readexactly(max(1, error.consumed))


async def _rest(reading: list[asyncio.Task[None]]) -> None:
    """What the process had still written; not what a stray of it, which nobody may kill, might yet write."""
    if reading:
        _, hanging = await asyncio.wait(reading, timeout=_PATIENCE)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


def _ended(code: int | None) -> str:
    if code is None:
        return "was killed with its keeper"
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
