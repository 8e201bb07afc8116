"""The service's side of the guard: starts processes that cannot outlive this one, whatever they are for."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from farandole.events.errors import BadInput, StepError
from farandole.runtime.guard import KILL, REQUEST_FDS, STOP

_SCRIPT = Path(__file__).with_name("guard.py")
_GUARD_END = 5.0  # seconds that the guard has to kill what it guards before it is killed itself


@dataclass(frozen=True, slots=True)
class Spec:
    """What to execute: the file `path`; `grace`: seconds between SIGTERM and SIGKILL on `stop`."""

    path: str
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    grace: float = 2.0

    def encoded(self) -> bytes:
        """JSON of the bytes as the system takes them. Raises BadInput for what it cannot take."""
        for text in (self.path, self.cwd, *self.argv, *self.env, *self.env.values()):
            if "\0" in text:
                raise BadInput(f"{self.argv[0]}: an argument or variable holds a NUL: {text[:80]!a}")
        for name in self.env:
            if not name or "=" in name:
                raise BadInput(f"{self.argv[0]}: {name[:80]!a} is no name of an environment variable")
        return json.dumps(
            {
                "path": _wire(self.path),
                "argv": [_wire(argument) for argument in self.argv],
                "env": {_wire(name): _wire(value) for name, value in self.env.items()},
                "cwd": _wire(self.cwd),
                "grace": self.grace,
            }
        ).encode()


class Guarded:
    """One process under the guard. `stop` and `kill` may be called from any thread, the rest from one.

    Read its reports (`feed` what comes on `control`) until `over`; then `pid`, `code` (negative: a signal's
    number; None: the guard was killed with it) or `failure` (errno, "cwd" or "exec") say what became of it.
    """

    __slots__ = ("_pending", "code", "control", "failure", "over", "pid")

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.pid: int | None = None
        self.code: int | None = None
        self.failure: tuple[int, str] | None = None
        self.over = False
        self._pending = b""

    def feed(self, data: bytes) -> None:
        """Take in what was read from `control`; empty: its end."""
        if not data:
            self.over = True
            return
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            report = json.loads(line)
            self.pid = report.get("pid", self.pid)
            self.code = report.get("code", self.code)
            if "errno" in report:
                self.failure = (report["errno"], report["where"])
            self.over = self.over or "pid" not in report

    def receive(self) -> None:
        """Read one report from `control`; blocks until there is one."""
        try:
            self.feed(self.control.recv(4096))
        except ConnectionError:
            self.feed(b"")

    def stop(self) -> None:
        """SIGTERM to its group, SIGKILL to all its descendants after the grace."""
        self._order(STOP)

    def kill(self) -> None:
        """SIGKILL to all its descendants, now."""
        self._order(KILL)

    def _order(self, order: bytes) -> None:
        with suppress(OSError):  # it has ended already
            self.control.send(order)

    def close(self) -> None:
        """Kill it if it still runs, and give the socket back."""
        self.control.close()


class Guard:
    """Starts processes that end with this one, whatever ends it. One a process is enough; thread-safe.

    The guard itself is a process of about 9 MB, started with the first use (about 30 ms), and again when it
    was killed. `close` ends it and all it guards; so do dropping the last reference and this process's end.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: socket.socket | None = None
        self._end: weakref.finalize[..., Guard] | None = None

    def start(self, spec: Spec, fds: Sequence[int]) -> Guarded:
        """Start a process with `fds` as its 0, 1, 2 …; they stay open here. Does not wait for it.

        Raises BadInput for what no process can be given, StepError when no guard can be had.
        """
        encoded = spec.encoded()
        if len(fds) + 2 > REQUEST_FDS:
            raise ValueError(f"{len(fds)} file descriptors; at most {REQUEST_FDS - 2}")
        ours, theirs = socket.socketpair()
        # A file, not the socket: no limit on its size, so neither side ever waits for the other.
        with theirs, tempfile.TemporaryFile() as file:
            file.write(encoded)
            file.flush()
            try:
                self._request([theirs.fileno(), file.fileno(), *fds])
            except OSError as error:
                ours.close()
                raise StepError(f"{spec.argv[0]}: the guard of this process cannot be used: {error}") from error
        return Guarded(ours)

    def close(self) -> None:
        """End everything that is guarded, then the guard; returns when it has ended. Idempotent."""
        with self._lock:
            if self._end is not None:
                self._end()
            self._requests = self._end = None

    def _request(self, fds: list[int]) -> None:
        with self._lock:
            if self._requests is not None:
                with suppress(ConnectionError):  # the guard was killed; its keepers have ended what it guarded
                    socket.send_fds(self._requests, [b"+"], fds)
                    return
            self._requests = self._restarted()
            socket.send_fds(self._requests, [b"+"], fds)

    def _restarted(self) -> socket.socket:
        if self._end is not None:
            self._end()
        ours, theirs = socket.socketpair()
        with theirs:
            # Isolated from the environment and from site-packages: alike anywhere, and sooner there.
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_SCRIPT), str(os.getpid())],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # out of reach of the terminal's Ctrl-C and of a kill of our group
            )
        self._end = weakref.finalize(self, _end, ours, process)
        return ours


def _end(requests: socket.socket, process: "subprocess.Popen[bytes]") -> None:
    requests.close()
    try:
        process.wait(_GUARD_END)
    except subprocess.TimeoutExpired:  # something it guards cannot be killed (uninterruptible I/O)
        process.kill()
        process.wait()


def _wire(text: str) -> str:
    """Bytes as latin-1 text. Raises BadInput for text that the file system's encoding does not have."""
    try:
        return os.fsencode(text).decode("latin-1")
    except UnicodeEncodeError:
        raise BadInput(f"{text[:80]!a} cannot be passed to a program: it is no text that can be encoded") from None
