"""A process that has imported the library and forks one more for each handle: `python -m … FD PARENT MODULE…`.

It has one thread, so forking is sound, and so is PR_SET_PDEATHSIG, by which its children go when it goes.
"""

import asyncio
import ctypes
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from tests.contract.remote_child import serve

_PR_SET_PDEATHSIG = 1  # prctl(2)
_LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Fork on request, reap what ends, until the other end of the control socket is closed."""
    control = socket.socket(fileno=int(sys.argv[1]))
    _go_with(int(sys.argv[2]))
    for module in sys.argv[3:]:
        importlib.import_module(module)
    if len(list(Path("/proc/self/task").iterdir())) != 1:
        raise RuntimeError(f"importing {sys.argv[3:]} starts threads: forking after it is not sound")
    gc.freeze()  # so that a collection in a child does not copy what all share
    _Zygote(control).run()


class _Zygote:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: dict[int, int] = {}
        """The pid by its descriptor."""
        self._selector = selectors.PollSelector()  # keeps nothing in the kernel that a child could disturb
        self._selector.register(control, selectors.EVENT_READ)

    def run(self) -> None:
        """Return when nobody can ask any more."""
        while True:
            for key, _ in self._selector.select():
                if key.fd in self._children:
                    self._reap(key.fd)
                elif not self._fork():
                    return

    def _fork(self) -> bool:
        """Fork a child on the socket that comes with a request; its pid and a descriptor of it are the answer."""
        asked, fds, _, _ = socket.recv_fds(self._control, 1, 1)
        if not asked:
            return False
        given, own = socket.socket(fileno=fds[0]), os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become(given, own)
        given.close()
        pidfd = os.pidfd_open(pid)  # nobody else reaps it, so the pid is still its own
        self._children[pidfd] = pid
        self._selector.register(pidfd, selectors.EVENT_READ)
        socket.send_fds(self._control, [pid.to_bytes(8)], [pidfd])
        return True

    def _reap(self, pidfd: int) -> None:
        self._selector.unregister(pidfd)
        os.close(pidfd)
        os.waitpid(self._children.pop(pidfd), 0)

    def _become(self, given: socket.socket, zygote: int) -> NoReturn:
        """The child: keeps nothing of the zygote's but the library, and never returns into its loop."""
        try:
            _go_with(zygote)
            self._control.close()
            for pidfd in self._children:
                os.close(pidfd)
            asyncio.run(serve(given))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)


def _go_with(parent: int) -> None:
    """Be killed when the parent ends; end now if it did so before the kernel knew."""
    if _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    main()
