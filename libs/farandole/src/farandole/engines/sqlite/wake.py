"""Wake-ups between processes: a datagram after each commit to those whom it concerns. They may be lost."""

import asyncio
import contextlib
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

DATA = b"d"
"""Records were written to a topic that the receiver listens to."""
LEASES = b"l"
"""Leases of the receiver came or went, or topics were created."""
_ABSTRACT = sys.platform.startswith("linux")
_LENGTH = 1024  # more than one datagram holds


class Post:
    """The socket of one handle: others wake it by its address. Sending is for the writer's thread."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._directory: Path | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket.bind(self._new_address())
        self.address: bytes = os.fsencode(self._socket.getsockname())

    def listen(self, ring: Callable[[bool, bool], None]) -> None:
        """Call `ring(data, leases)` on this event loop, once for however many wake-ups have come."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._read, ring)

    def send(self, kind: bytes, addresses: Iterable[bytes]) -> None:
        """Wake who has these addresses; who is gone, or has enough of them waiting, is left alone."""
        for address in addresses:
            with contextlib.suppress(OSError):
                self._socket.sendto(kind, address)

    def close(self) -> None:
        """Give the socket back; idempotent."""
        if self._loop is not None and not self._loop.is_closed() and self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _read(self, ring: Callable[[bool, bool], None]) -> None:
        kinds: set[bytes] = set()
        with contextlib.suppress(BlockingIOError):
            while True:
                kinds.add(self._socket.recv(_LENGTH))
        ring(DATA in kinds, LEASES in kinds)

    def _new_address(self) -> str | bytes:
        name = f"farandole-{secrets.token_hex(12)}"
        if _ABSTRACT:
            return b"\0" + name.encode()  # the abstract namespace: nothing is left behind by who is killed
        self._directory = Path(tempfile.mkdtemp(prefix="farandole-"))
        return str(self._directory / "wake")


class Bell:
    """Something that one coroutine waits for; rung while nobody waits, it rings at the next wait."""

    __slots__ = ("_rung", "_waiter")

    def __init__(self) -> None:
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Let the one who waits go on."""
        self._rung = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def still(self) -> None:
        """Forget what rang until now; to be called before looking at what a ring may be about."""
        self._rung = False

    async def wait(self, timeout: float) -> bool:
        """Whether it rang within `timeout` seconds."""
        if self._rung:
            return True
        loop = asyncio.get_running_loop()
        self._waiter = waiter = loop.create_future()
        timer = loop.call_later(timeout, _finish, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None
        return self._rung


def _finish(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
