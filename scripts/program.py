"""A server's process under a guard: it ends when this process ends, in whatever way. And folders that go with it."""

import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree

from farandole.events.errors import FarandoleError
from farandole.runtime.guarded import Guard, Guarded, Spec

GRACE = 30.0  # seconds for an orderly end, then it is killed
_SWEEPER = Path(__file__).with_name("sweep.py")
_TAIL = 3_000


class NotExecuted(FarandoleError):
    """The program is not there, or is none."""


class Program:
    """One program: `launch`, `stop`, `kill`, in any order and from any thread."""

    __slots__ = ("_argv", "_folder", "_guard", "_lock", "_process", "log")

    def __init__(self, argv: Sequence[str], *, folder: Path, log: Path, guard: Guard) -> None:
        self._argv, self._folder, self._guard = tuple(argv), folder, guard
        self.log = log
        self._lock = threading.RLock()
        self._process: Guarded | None = None

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        with self._lock:
            process = self._process
            if process is None:
                return None
            with suppress(BlockingIOError):
                process.feed(_unread(process))
            return None if process.over else process.pid

    def tail(self) -> str:
        """The end of what it has written."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-_TAIL:] or "(nothing)"

    def launch(self) -> None:
        """Start it; nothing where it runs. Raises NotExecuted."""
        with self._lock:
            if self.pid is not None:
                return
            self._forget()
            self._process = self._run()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that does not end it; returns when it has ended."""
        with self._lock:
            if self._process is not None:
                self._process.stop()
                self._forget()

    def kill(self) -> None:
        """SIGKILL; returns when it has ended."""
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._forget()

    def _run(self) -> Guarded:
        spec = Spec(self._argv[0], self._argv, dict(os.environ), str(self._folder), grace=GRACE)
        with self.log.open("ab") as log, open(os.devnull, "rb") as nothing:
            process = self._guard.start(spec, [nothing.fileno(), log.fileno(), log.fileno()])
        process.receive()
        if process.pid is None:
            raise NotExecuted(f"{self._argv[0]} cannot be executed: {process.failure}")
        return process

    def _forget(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            while not process.over:
                process.receive()
            process.close()


@contextmanager
def swept_folder(name: str) -> Iterator[Path]:
    """A temporary folder that is removed even when this process is killed."""
    folder = Path(tempfile.mkdtemp(prefix=f"farandole-{name}-"))
    # Out of reach of the terminal's Ctrl-C and of a kill of our group.
    command = [sys.executable, "-I", "-S", str(_SWEEPER), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as sweeper:
        try:
            yield folder
        finally:
            sweeper.communicate(b".")
            rmtree(folder, ignore_errors=True)  # should the sweeper have been killed


def _unread(process: Guarded) -> bytes:
    """What the guard has reported; raises BlockingIOError where it has not."""
    try:
        return process.control.recv(4096, socket.MSG_DONTWAIT)
    except ConnectionError:
        return b""
