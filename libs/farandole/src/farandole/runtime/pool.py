"""Warm worker processes that answer calls of bytes with bytes; a late one is killed, and only that one."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from farandole.events.errors import StepError, TimedOut, WorkerDied
from farandole.runtime.guarded import Guard, Guarded, Spec
from farandole.runtime.pool_worker import CALL, FAILED, FRAME, SETUP

_SCRIPT = Path(__file__).with_name("pool_worker.py")
_READ_AHEAD = 1 << 20  # bytes of a reply that are buffered before its worker has to wait
_STDERR = 2
_KILL_PATIENCE = 5.0  # seconds until a killed worker that hangs in the kernel is left to its keeper


class RemoteError(StepError):
    """An exception in a worker process, as far as it can be told in text.

    `kinds`: the qualified names of its class and of its bases; `text`; `traceback` (its end); `detail`: the
    plain attributes, such as `delay` of a RetryAfter.
    """

    def __init__(
        self, kinds: Sequence[str], text: str, traceback: str, detail: Mapping[str, str | float | bool | None]
    ) -> None:
        self.kinds, self.text, self.traceback, self.detail = tuple(kinds), text, traceback, dict(detail)
        super().__init__(f"{self.kind}: {text}")

    @property
    def kind(self) -> str:
        """Qualified name of the exception's class."""
        return self.kinds[0]


class _Worker:
    """One worker process, for one call at a time. `usable`: it has answered all it was asked."""

    def __init__(self, guarded: Guarded, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.usable = False
        self._guarded, self._reader, self._writer = guarded, reader, writer
        loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = loop.create_future()
        guarded.control.setblocking(False)
        loop.add_reader(guarded.control, self._on_report)

    @property
    def is_over(self) -> bool:
        """Whether it has ended by itself."""
        return self._ended.done() or self._reader.at_eof()

    async def ask(self, kind: int, payload: bytes) -> bytes:
        """Raises RemoteError, WorkerDied."""
        self.usable = False
        try:
            self._writer.write(FRAME.pack(kind, len(payload)) + payload)
            await self._writer.drain()
            answered, length = FRAME.unpack(await self._reader.readexactly(FRAME.size))
            body = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise WorkerDied(await self._obituary()) from None
        self.usable = True
        if answered == FAILED:
            raise RemoteError(**json.loads(body))
        return body

    async def retire(self, grace: float) -> None:
        """Let it close its resources and end; kill it after `grace` seconds."""
        self._writer.close()
        await self._wait(grace)
        await self.destroy()

    def kill(self) -> None:
        """Kill it with all its descendants."""
        self._guarded.kill()

    async def destroy(self) -> None:
        """Kill it, wait until it is gone, and give back what it held here. Not to be called twice."""
        self.kill()
        try:
            await self._wait(_KILL_PATIENCE)
        finally:
            asyncio.get_running_loop().remove_reader(self._guarded.control)
            self._guarded.close()
            self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _wait(self, seconds: float) -> None:
        await asyncio.wait([self._ended], timeout=seconds)

    async def _obituary(self) -> str:
        await self._wait(_KILL_PATIENCE)
        code, name = self._guarded.code, f"worker process {self._guarded.pid}"
        if self._guarded.failure is not None:
            return f"no worker process: {sys.executable}: {os.strerror(self._guarded.failure[0])}"
        if code is None:
            return f"{name} was killed with its keeper"
        if code < 0:
            hint = " (out of memory?)" if code == -signal.SIGKILL else ""
            return f"{name} was ended by {signal.Signals(-code).name}{hint}"
        return f"{name} ended with exit code {code}"

    def _on_report(self) -> None:
        with suppress(BlockingIOError):
            self._guarded.receive()
        if self._guarded.over and not self._ended.done():
            asyncio.get_running_loop().remove_reader(self._guarded.control)
            self._ended.set_result(None)


class ProcessPool:
    """At most `size` worker processes, started when first needed and kept warm; used from one event loop.

    `factory` and `args`: see `pool_worker`; `env` is added to this process's environment. Workers have this
    process's import path and working directory, and write to its stderr. When a worker ends, so does all that
    it started; when this process ends, for whatever reason, so do the workers (see `guard`). `start_timeout`:
    seconds that the import of the factory may take. A call of a warm worker costs about 0.2 ms.
    """

    def __init__(
        self,
        factory: str,
        args: Sequence[str] = (),
        *,
        size: int,
        env: Mapping[str, str] | None = None,
        guard: Guard | None = None,
        start_timeout: float = 120.0,
    ) -> None:
        self._factory, self._args, self._size, self._env = factory, list(args), size, env or {}
        self._start_timeout = start_timeout
        self._guard, self._owns_guard = guard or Guard(), guard is None
        self._slots = asyncio.Semaphore(size)
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._closed = False

    async def call(self, payload: bytes, timeout: float | None = None) -> bytes:
        """The answer of a worker; waits for a free one. `timeout`: seconds, from when one has the payload.

        Raises TimedOut and WorkerDied (the worker is gone, and all it had started), RemoteError (an exception
        of the function or of its factory), StepError when the pool is closed. A cancelled call has its worker
        killed, too: nothing else stops code that runs.
        """
        async with self._slots:
            worker = await self._take()
            self._busy.add(worker)
            self._quiet.clear()
            try:
                await self._make_ready(worker)
                async with asyncio.timeout(timeout):
                    return await worker.ask(CALL, payload)
            except TimeoutError:
                raise TimedOut(f"passed its timeout of {timeout:g} s; its worker process was killed") from None
            finally:
                await self._give_back(worker)

    async def close(self, grace: float = 10.0) -> None:
        """Refuse further calls, wait up to `grace` seconds for those that run, then kill. Idempotent."""
        self._closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._quiet.wait()
        for worker in self._busy:
            worker.kill()
        await self._quiet.wait()
        idle, self._idle = self._idle, []
        await asyncio.gather(*(worker.retire(grace) for worker in idle))
        if self._owns_guard:
            await asyncio.to_thread(self._guard.close)

    async def _take(self) -> _Worker:
        self._refuse_closed()
        while self._idle:
            worker = self._idle.pop()  # the last one used: its caches are warm
            if not worker.is_over:
                return worker
            await worker.destroy()
        return await self._start()

    async def _start(self) -> _Worker:
        with ExitStack() as undo:
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            with theirs:
                guarded = self._spawn(theirs)
            undo.callback(guarded.close)
            worker = _Worker(guarded, *await asyncio.open_unix_connection(sock=ours, limit=_READ_AHEAD))
            undo.pop_all()
        return worker

    def _spawn(self, channel: socket.socket) -> Guarded:
        argv = [sys.executable, "-P", str(_SCRIPT), self._factory]
        spec = Spec(sys.executable, argv, {**os.environ, **self._env}, os.getcwd(), grace=0)
        with open(os.devnull, "rb") as nothing:
            return self._guard.start(spec, [nothing.fileno(), _STDERR, _STDERR, channel.fileno()])

    async def _make_ready(self, worker: _Worker) -> None:
        self._refuse_closed()
        if worker.usable:
            return
        setup = json.dumps({"path": sys.path, "args": self._args}).encode()
        try:
            async with asyncio.timeout(self._start_timeout):
                await worker.ask(SETUP, setup)
        except RemoteError:  # the factory's; the process is about to end
            worker.usable = False
            raise
        except TimeoutError:
            limit = f"{self._start_timeout:g} s"
            raise WorkerDied(f"a worker process took more than {limit} to load {self._factory}") from None

    async def _give_back(self, worker: _Worker) -> None:
        try:
            if worker.usable:
                self._idle.append(worker)
            else:
                await worker.destroy()
        finally:
            self._busy.discard(worker)
            if not self._busy:
                self._quiet.set()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StepError("the pool of worker processes is closed")
