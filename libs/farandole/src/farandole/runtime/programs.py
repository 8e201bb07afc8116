"""External programs from a step: run to their end or ended for good; no shell, never on the event loop."""

import asyncio
import errno
import os
import select
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from farandole.events.errors import DeclarationError, ProgramFailed, StepError, TimedOut
from farandole.runtime.guarded import Guard, Guarded, Spec
from farandole.runtime.streams import Streams

STDOUT_KEPT, STDERR_KEPT = 1 << 20, 4096
"""Bytes of the end of each stream that are kept; give `stdout=path` for more."""

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit codes in ProgramFailed of a program that never ran, as shells give them."""

_UNKILLABLE_AFTER = 5.0  # seconds beyond the grace; then a program in uninterruptible I/O is left to its keeper
_LONGEST_WAIT = 3600.0  # seconds of one poll, whose limit is 24 days


@dataclass(frozen=True, slots=True)
class CompletedProgram:
    """A program that ended with 0.

    `stdout`: its end, at most STDOUT_KEPT bytes, empty where it went to a file; `stdout_dropped`: how many
    bytes came before it. `stderr`: its end, decoded. `seconds`: from start to end.
    """

    argv: tuple[str, ...]
    stdout: bytes
    stdout_dropped: int
    stderr: str
    seconds: float


class Stop:
    """Ends the programs of one attempt from another thread, and refuses new ones; cannot be taken back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Guarded] = set()
        self.is_set = False

    def set(self) -> None:
        """SIGTERM now, SIGKILL after the grace; `run_program` then raises StepError."""
        with self._lock:
            self.is_set = True
            for program in self._running:
                program.stop()

    @contextmanager
    def reaching(self, program: Guarded) -> Iterator[None]:
        """While inside, `set` reaches the program; so does a `set` that came before."""
        with self._lock:
            self._running.add(program)
            if self.is_set:
                program.stop()
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(program)


@dataclass(frozen=True, slots=True)
class Supervision:
    """Under whom a program runs.

    `guard`: shared by the programs of this process (without one, each call starts its own: about 30 ms more).
    `stop`: ends them when the attempt is cancelled. `grace`: seconds between SIGTERM and SIGKILL. `inline`: a
    rehearsal's, which runs `def` steps on its own event loop and may block it.
    """

    guard: Guard | None = None
    stop: Stop = field(default_factory=Stop)
    grace: float = 2.0
    inline: bool = False


def run_program(  # noqa: PLR0913 - one parameter for each thing that subprocess.run has a name for
    argv: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    input: bytes | None = None,
    stdout: Path | None = None,
    under: Supervision | None = None,
) -> CompletedProgram:
    """Run a program to its end, from a thread or a worker process; `env` is added to this process's.

    It runs in a session of its own. All its descendants, wherever they moved to, end with it; at `timeout`
    (seconds) or on `stop`: SIGTERM to its process group, after the grace SIGKILL to all; at once when this
    process ends, for whatever reason. stdin is `input`, else empty; stdout goes to the file `stdout`, else
    its end is kept. With a shared guard a call costs about 4 ms more than `subprocess.run`.

    Raises ProgramFailed (exit code not 0, a signal, not found: 127, not executable: 126), TimedOut, StepError
    when stopped, BadInput for arguments that no program can be given, DeclarationError on the event loop.
    """
    under = under or Supervision()
    if not under.inline:
        _refuse_event_loop()
    words = tuple(os.fspath(word) for word in argv)
    if under.stop.is_set:
        raise StepError(f"{words[0]} was not started: the attempt was stopped")
    spec = _spec(words, cwd=cwd, env=env, grace=under.grace)
    with ExitStack() as stack:
        streams = Streams(stack, given=input, into=stdout, stdout_kept=STDOUT_KEPT, stderr_kept=STDERR_KEPT)
        started = time.monotonic()
        program = _started(stack, spec, streams, guard=under.guard)
        with under.stop.reaching(program):
            in_time = _follow(program, streams, timeout=timeout, grace=under.grace)
        seconds = time.monotonic() - started
    stderr = streams.stderr.end().decode(errors="replace")
    if not in_time:
        raise TimedOut(f"{words[0]} passed its timeout of {timeout:g} s and was ended; stderr: {stderr or '(none)'}")
    if under.stop.is_set:
        raise StepError(f"{words[0]} was ended: the attempt was stopped")
    _check(program, spec, stderr)
    return CompletedProgram(words, streams.stdout.end(), streams.stdout.dropped, stderr, seconds)


def _started(stack: ExitStack, spec: Spec, streams: Streams, *, guard: Guard | None) -> Guarded:
    if guard is None:
        guard = Guard()
        stack.callback(guard.close)
    program = guard.start(spec, streams.theirs)
    stack.callback(program.close)
    return program


def _follow(program: Guarded, streams: Streams, *, timeout: float | None, grace: float) -> bool:
    """Read what it writes until it has ended, and end it when it is late; whether it was in time."""
    poll = select.poll()
    for fd in (program.control.fileno(), *streams.ours):
        poll.register(fd, select.POLLIN)
    deadline = None if timeout is None else time.monotonic() + timeout
    in_time = True
    while not program.over:
        if deadline is not None and time.monotonic() >= deadline:
            if not in_time:
                break
            in_time, deadline = False, deadline + grace + _UNKILLABLE_AFTER
            program.stop()
        for fd, _ in poll.poll(_milliseconds_until(deadline)):
            if fd == program.control.fileno():
                program.receive()
            else:
                streams.read(fd)
    streams.drain()
    return in_time


def _milliseconds_until(deadline: float | None) -> float:
    left = _LONGEST_WAIT if deadline is None else deadline - time.monotonic()
    return 1000 * min(max(left, 0.0), _LONGEST_WAIT)


def _check(program: Guarded, spec: Spec, stderr: str) -> None:
    name = spec.argv[0]
    if program.failure is not None:
        number, where = program.failure
        if where == "cwd":
            raise StepError(f"{name}: cannot work in {spec.cwd!a}: {os.strerror(number)}")
        missing = number == errno.ENOENT
        raise ProgramFailed(name, NOT_FOUND if missing else NOT_EXECUTABLE, _why_not_run(number, spec.path))
    code = -signal.SIGKILL if program.code is None else program.code
    if code:
        raise ProgramFailed(name, code, stderr)


def _why_not_run(number: int, path: str) -> str:
    reasons = {
        errno.ENOENT: "is not there, or the interpreter that its first line names is not",
        errno.EACCES: "is not executable",
        errno.ENOEXEC: "is no program, and has no first line that names an interpreter",
        errno.E2BIG: "was given more arguments than the system takes; pass them in a file",
    }
    return f"{path!a} {reasons.get(number, f'cannot be executed: {os.strerror(number)}')}"


def _spec(words: tuple[str, ...], *, cwd: Path | None, env: Mapping[str, str] | None, grace: float) -> Spec:
    environment = {**os.environ, **(env or {})}
    place = os.path.abspath(cwd or "")
    path = _path_of(words[0], place, environment)
    return Spec(path, words, environment, place, grace)


def _path_of(name: str, cwd: str, env: Mapping[str, str]) -> str:
    """The program's file. Raises ProgramFailed where PATH has none of this name."""
    if "/" in name:
        return os.path.join(cwd, name)
    found = shutil.which(name, path=env.get("PATH", os.defpath))
    if found is None:
        remedy = "no such program on this service's PATH; install it, or give its whole path"
        raise ProgramFailed(name, NOT_FOUND, remedy)
    return os.path.abspath(found)


def _refuse_event_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise DeclarationError(
        "ctx.run would block the event loop: declare the step as def (then it runs in a thread) or with runs='process'"
    )
