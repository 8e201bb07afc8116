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
from typing import NamedTuple

DATA = b"d"
"""Records were written to topics that the receiver may listen to; their names follow."""
LEASES = b"l"
"""Leases of the receiver came or went, or topics were created."""
_ABSTRACT = sys.platform.startswith("linux")
_LENGTH = 4096  # more than one datagram holds
_SEPARATOR = b"\x1f"  # no name of a topic holds it


class News(NamedTuple):
    """What the others told since one last asked. `topics` None: any may have been written to."""

    topics: frozenset[str] | None
    leases: bool


def data_note(topics: Iterable[str]) -> bytes:
    """The datagram that says to which topics records were written; without names where they are too many."""
    note = DATA + _SEPARATOR.join(topic.encode("utf-8", "surrogatepass") for topic in topics)
    return note if len(note) < _LENGTH else DATA


class Post:
    """The socket of one handle: others wake it by its address. Sending is for the writer's thread."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._directory: Path | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket.bind(self._new_address())
        self.address: bytes = os.fsencode(self._socket.getsockname())

    def listen(self, ring: Callable[[News], None]) -> None:
        """Call `ring` on this event loop, once for however many wake-ups have come."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._read, ring)

    def send(self, note: bytes, addresses: Iterable[bytes]) -> None:
        """Wake who has these addresses; who is gone, or has enough of them waiting, is left alone."""
        for address in addresses:
            with contextlib.suppress(OSError):
                self._socket.sendto(note, address)

    def close(self) -> None:
        """Give the socket back; idempotent."""
        if self._loop is not None and not self._loop.is_closed() and self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _read(self, ring: Callable[[News], None]) -> None:
        notes: set[bytes] = set()
        with contextlib.suppress(BlockingIOError):
            while True:
                notes.add(self._socket.recv(_LENGTH))
        ring(_read_notes(notes))

    def _new_address(self) -> str | bytes:
        name = f"farandole-{secrets.token_hex(12)}"
        if _ABSTRACT:
            return b"\0" + name.encode()  # the abstract namespace: nothing is left behind by who is killed
        self._directory = Path(tempfile.mkdtemp(prefix="farandole-"))
        return str(self._directory / "wake")


def _read_notes(notes: set[bytes]) -> News:
    leases = LEASES in notes
    if DATA in notes:
        return News(None, leases)
    names = {name for note in notes if note[:1] == DATA for name in note[1:].split(_SEPARATOR)}
    return News(frozenset(name.decode("utf-8", "surrogatepass") for name in names), leases)


class Bell:
    """Something that one coroutine waits for; rung while nobody waits, it rings at the next wait."""

    __slots__ = ("_waiter", "rung")

    def __init__(self) -> None:
        self.rung = False
        """Whether it rang since it was last stilled."""
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Let the one who waits go on."""
        self.rung = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def still(self) -> None:
        """Forget what rang until now; to be called before looking at what a ring may be about."""
        self.rung = False

    async def wait(self, timeout: float) -> bool:
        """Whether it rang within `timeout` seconds."""
        if self.rung:
            return True
        loop = asyncio.get_running_loop()
        self._waiter = waiter = loop.create_future()
        timer = loop.call_later(timeout, _finish, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None
        return self.rung


def _finish(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
