"""The process that starts programs for its service and sees to it that none of them outlives it.

Run as a script, by path, on the standard library only: it must start at once and stay small.

    service ──requests── guard ──fork── keeper ──fork, exec── program ── whatever the program starts
       └───────────────control────────────┘

One keeper a program. Guard and keepers are *subreapers*: a descendant whose parent ended becomes their child,
in whatever session it hides. So killing one's own children until none is left ends every descendant, and no
process number can be reused under the killer's hand. Who dies takes the rest along:
- the service: its sockets close (or its pidfd tells, while a fork of it holds them); the guard kills all;
- the guard: the keepers' pipe from it closes; each kills its program's descendants;
- a keeper: the kernel kills the program (PR_SET_PDEATHSIG is sound here: a keeper has one thread, whose end
  is the process's), the guard kills what the program left.
Out of reach: what runs as another user (setuid), and what a program started when guard *and* keeper are
killed in the same instant. Without Linux's prctl a program's process group is killed, not what left it.
"""

import ctypes
import fcntl
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any, NoReturn

REQUEST_FDS = 16  # at most this many file descriptors come with a request: control, spec, and the program's
STOP, KILL = b"T", b"K"  # what the service writes on a control socket: TERM then KILL, or KILL at once
_FIRST_FREE_FD = 16  # descriptors are moved above this, so that dup2 to 0, 1, 2 … never hits one of them
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PATIENCE_MS = 20  # between two rounds of killing; the death of a child ends the wait at once
_SHIELDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the service decides, not the terminal
_RESTORED = (*_SHIELDED, signal.SIGPIPE, signal.SIGXFSZ)  # Python and we ignore them; a program must not

_LIBC: Any = ctypes.CDLL(None) if sys.platform == "linux" else None


class Children:
    """The children of this process, adopted orphans among them; a pipe tells when one ended."""

    def __init__(self) -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._beyond = set[int]()
        self.wake, written = os.pipe()
        for fd in (self.wake, written):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(written, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _nothing)

    def reap(self) -> dict[int, int] | None:
        """Exit codes (negative: a signal's number) of those that ended since; None: there are no children."""
        with suppress(BlockingIOError):
            os.read(self.wake, 4096)
        ended: dict[int, int] = {}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ended or None
            if pid == 0:
                return ended
            ended[pid] = os.waitstatus_to_exitcode(status)

    def kill(self, spare: Collection[int] = ()) -> bool:
        """SIGKILL all but `spare`; whether there was one. Their own children are ours in the next round."""
        doomed = [pid for pid in _children() if pid not in spare and pid not in self._beyond]
        for pid in doomed:
            try:
                os.kill(pid, signal.SIGKILL)
            except PermissionError:
                self._beyond.add(pid)
        return bool(doomed)

    def kill_all(self) -> dict[int, int]:
        """Kill round after round until no child is left that may be killed; their exit codes."""
        ended: dict[int, int] = {}
        while True:
            killed, now = self.kill(), self.reap()
            if now is None or (self._beyond and not killed):
                return ended
            ended |= now
            select.select([self.wake], [], [], _PATIENCE_MS / 1000)


def serve(requests: socket.socket, served: int) -> None:
    """Fork a keeper a request until the process `served` ends or closes its side; then kill all."""
    children, keepers = Children(), set[int]()
    lifeline = os.pipe()  # never written to: its end tells the keepers that this process has ended
    poll = select.poll()
    for fd in (requests.fileno(), children.wake, *_pidfd(served)):
        poll.register(fd, select.POLLIN)
    strays = False
    while os.getppid() == served:
        ready = {fd for fd, _ in poll.poll(_PATIENCE_MS if strays else None)}
        ended = children.reap() or {}
        keepers -= ended.keys()
        # A keeper that was killed leaves what its program started; that is now ours.
        strays = (strays or bool(ended)) and children.kill(spare=keepers)
        if requests.fileno() in ready:
            fds = _receive(requests)
            if fds is None:
                break
            keepers.add(_fork_keeper(requests, children, lifeline, fds))
    if _LIBC is not None:  # elsewhere the keepers' program groups are reached by the keepers alone
        children.kill_all()


def _receive(requests: socket.socket) -> list[int] | None:
    """The file descriptors of the next request, out of the way of 0, 1, 2 …; None: no more will come."""
    try:
        request, fds, _, _ = socket.recv_fds(requests, 1, REQUEST_FDS)
    except ConnectionError:
        return None
    if not request:
        return None
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE_FD) for fd in fds]
    for fd in fds:
        os.close(fd)
    return moved


def _fork_keeper(requests: socket.socket, children: Children, lifeline: tuple[int, int], fds: Sequence[int]) -> int:
    guard = os.getpid()
    try:
        pid = os.fork()
    except OSError:  # no memory or too many processes: the closed control tells the service
        pid = -1
    if pid:
        for fd in fds:
            os.close(fd)
        return pid
    code = 70
    try:
        requests.close()
        os.close(lifeline[1])
        os.close(children.wake)
        if os.getppid() == guard:
            keep(socket.socket(fileno=fds[0]), lifeline[0], fds[1], fds[2:])
        code = 0
    finally:  # whatever happens, the fork must not go on as a second guard
        os._exit(code)


def keep(control: socket.socket, lifeline: int, spec_fd: int, fds: Sequence[int]) -> None:
    """Start the program, report its end on `control`, and leave nothing of it behind."""
    children = Children()
    spec = _read_spec(spec_fd)
    try:
        pid = start(spec, fds)
    except OSError as error:
        _report(control, {"errno": error.errno, "where": error.filename})
        return
    for fd in fds:  # else a reader of the program's output would wait for our copies
        os.close(fd)
    _report(control, {"pid": pid})
    code = _watch(pid, children, control=control, lifeline=lifeline, grace=spec["grace"])
    if _LIBC is None:  # no orphans come to us: its group is all that can be reached
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    code = children.kill_all().get(pid, code)
    _report(control, {"code": code})


def _watch(pid: int, children: Children, *, control: socket.socket, lifeline: int, grace: float) -> int:
    """Wait until the program has ended or has to be killed; its exit code, as far as it is known."""
    poll = select.poll()
    for fd in (control.fileno(), lifeline, children.wake):
        poll.register(fd, select.POLLIN)
    last: float | None = None  # when patience ends
    while True:
        wait = None if last is None else max(0.0, last - time.monotonic())
        ready = {fd for fd, _ in poll.poll(None if wait is None else wait * 1000)}
        ended = children.reap() or {}
        if pid in ended:
            return ended[pid]
        if lifeline in ready or (last is not None and time.monotonic() >= last):
            return -signal.SIGKILL
        if control.fileno() in ready:
            if _order(control) != STOP:
                return -signal.SIGKILL
            last = last or time.monotonic() + grace
            with suppress(PermissionError):
                os.killpg(pid, signal.SIGTERM)


def start(spec: dict[str, Any], fds: Sequence[int]) -> int:
    """Fork and exec in a session of its own, with `fds` as 0, 1, 2 …; raises OSError that says where."""
    failure, failed = os.pipe()
    keeper = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(spec, fds, keeper=keeper, failed=failed)
    os.close(failed)
    text = os.read(failure, 64)  # ends empty when exec closes the pipe
    os.close(failure)
    if text:
        os.waitpid(pid, 0)
        number, _, where = text.decode().partition(" ")
        raise OSError(int(number), os.strerror(int(number)), where)
    return pid


def _become(spec: dict[str, Any], fds: Sequence[int], *, keeper: int, failed: int) -> NoReturn:
    where = "fork"
    try:
        os.setsid()
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != keeper:  # it died before the kernel knew that we go with it
            os._exit(1)
        for target, fd in enumerate(fds):
            os.dup2(fd, target)
        for number in _RESTORED:
            signal.signal(number, signal.SIG_DFL)
        where = "cwd"
        os.chdir(spec["cwd"])
        where = "exec"
        os.execve(spec["path"], spec["argv"], spec["env"])
    except OSError as error:
        os.write(failed, f"{error.errno} {where}".encode())
    finally:
        os._exit(127)


def _read_spec(fd: int) -> dict[str, Any]:
    """Bytes travel as latin-1 text: what the service passes need not be valid in any encoding."""
    with open(fd, "rb") as file:
        file.seek(0)
        raw = json.load(file)
    return {
        "path": raw["path"].encode("latin-1"),
        "argv": [argument.encode("latin-1") for argument in raw["argv"]],
        "env": {name.encode("latin-1"): value.encode("latin-1") for name, value in raw["env"].items()},
        "cwd": raw["cwd"].encode("latin-1"),
        "grace": raw["grace"],
    }


def _order(control: socket.socket) -> bytes:
    try:
        return control.recv(1) or KILL
    except ConnectionError:
        return KILL


def _report(control: socket.socket, report: dict[str, Any]) -> None:
    with suppress(OSError):  # nobody reads any more; what was to be ended is ended all the same
        control.sendall(json.dumps(report).encode() + b"\n")


def _children() -> list[int]:
    """The kernel may skip one while others end, which is why whoever asks asks again."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN, or no Linux
        return _children_by_search() if os.path.isdir("/proc/self") else []


def _children_by_search() -> list[int]:
    found, own = [], os.getpid()
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                # pid (name, which may hold anything) state parent …
                if int(file.read().rpartition(b")")[2].split()[1]) == own:
                    found.append(int(name))
    return found


def _pidfd(pid: int) -> list[int]:
    """Reports the end of a process even while a fork of it still holds its sockets."""
    try:
        return [os.pidfd_open(pid)]
    except (AttributeError, OSError):  # macOS, an old kernel; the closing socket has to do
        return []


def _nothing(*_: object) -> None:
    """A handler that does nothing still ends `poll`; an ignored SIGCHLD would lose the exit codes."""


def main() -> None:
    """`guard.py PID`, with the requests' socket as stdin."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in _SHIELDED:
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")  # so that no file system is kept busy
    requests = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)  # a keeper that still held the socket would hide the guard's end from the service
    os.close(nothing)
    gc.freeze()
    serve(requests, int(sys.argv[1]))


if __name__ == "__main__":
    main()
