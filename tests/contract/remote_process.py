"""The parent's side of the processes: a zygote that forks them, and each of them, to be stopped, resumed and killed.

Linux only: a process is held by a pidfd, so that no signal ever goes to another one that was given its pid.
"""

import asyncio
import atexit
import contextlib
import functools
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

_ROOT = Path(__file__).parents[2]
_PATIENCE = 30.0
"""Seconds until a process has surely started, stopped or ended, on a busy machine too."""
_ZYGOTE = "tests.contract.remote_zygote"


class Process:
    """One process of the zygote's; `close` gives back what this side holds of it."""

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self._pidfd: int | None = pidfd
        self._ended = select.poll()
        self._ended.register(pidfd, select.POLLIN)

    @property
    def is_gone(self) -> bool:
        """Whether it ended: all its descriptors are closed and its locks free."""
        return self._pidfd is None or bool(self._ended.poll(0))

    async def freeze(self) -> None:
        """Stop it, and wait until each of its threads stands still; harmless when it is gone."""
        self._signal(signal.SIGSTOP)
        await self._until(lambda: self.is_gone or self._stands_still(), "stop")

    def thaw(self) -> None:
        """Let it go on; harmless when it is gone."""
        self._signal(signal.SIGCONT)

    async def kill(self) -> None:
        """Kill it and wait for its end; harmless when it is gone."""
        self._signal(signal.SIGKILL)
        await self._until(lambda: self.is_gone, "end")

    def cpu_seconds(self) -> float:
        """What it has used so far, in user and kernel; raises psutil.NoSuchProcess when it is gone."""
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system

    def close(self) -> None:
        """Forget the process; it counts as gone from now on."""
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None

    def _signal(self, number: signal.Signals) -> None:
        if self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def _stands_still(self) -> bool:
        """Source: proc_pid_stat(5): behind the name, which may hold anything, stands the state; T is stopped."""
        try:
            stats = [path.read_bytes() for path in Path(f"/proc/{self.pid}/task").glob("*/stat")]
        except OSError:  # a thread, or all, ended meanwhile: look again
            return False
        return bool(stats) and all(stat.rpartition(b")")[2].split()[0] == b"T" for stat in stats)

    async def _until(self, look: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not look():
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} did not {what} in {_PATIENCE:g} s")
            await asyncio.sleep(0.002)


class Zygote:
    """Forks processes that have imported the library, and `modules`, already; started when first needed."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules = modules
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """Its own process, while there is one."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def spawn(self) -> tuple[Process, socket.socket]:
        """A new process, and the socket on which it serves."""
        control = self._connected()
        own, given = socket.socketpair()
        with contextlib.ExitStack() as unless_spawned:
            unless_spawned.callback(own.close)
            pid, fds = self._ask(control, given)
            own.setblocking(False)
            unless_spawned.pop_all()
        return Process(int.from_bytes(pid), fds[0]), own

    def end(self) -> None:
        """End it, and with it all that it forked."""
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait(_PATIENCE)
        self._control = self._process = None

    def _ask(self, control: socket.socket, given: socket.socket) -> tuple[bytes, list[int]]:
        try:
            with given:
                socket.send_fds(control, [b"+"], [given.fileno()])
            pid, fds, _, _ = socket.recv_fds(control, 8, 1)
        except ConnectionError:
            fds, pid = [], b""
        if not fds:
            raise RuntimeError("the zygote ended; what it wrote to stderr says why")
        return pid, fds

    def _connected(self) -> socket.socket:
        if self._control is not None and self.pid is not None:
            return self._control
        self.end()
        self._control, theirs = socket.socketpair()
        self._control.settimeout(_PATIENCE)
        with theirs:
            arguments = [sys.executable, "-P", "-m", _ZYGOTE, str(theirs.fileno()), str(os.getpid()), *self._modules]
            path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
            # A session of its own: Ctrl-C is for the parent, which then ends all in good order.
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        return self._control


@functools.cache
def zygote(*modules: str) -> Zygote:
    """The one of this process for these modules; ended at its exit."""
    made = Zygote(modules)
    atexit.register(made.end)
    return made
