"""The three standard streams of one program: what it reads, and the ends of what it writes."""

import os
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

_CHUNK = 1 << 16


class Tail:
    """The last `limit` bytes of a stream; `dropped` counts those before them."""

    __slots__ = ("_kept", "_limit", "dropped")

    def __init__(self, limit: int) -> None:
        self._limit, self._kept, self.dropped = limit, bytearray(), 0

    def add(self, data: bytes) -> None:
        """Append; at most twice the limit is ever held."""
        self._kept += data
        if len(self._kept) >= 2 * self._limit:
            self._cut()

    def end(self) -> bytes:
        """What is kept."""
        self._cut()
        return bytes(self._kept)

    def _cut(self) -> None:
        excess = max(0, len(self._kept) - self._limit)
        self.dropped += excess
        del self._kept[:excess]


class Streams:
    """`theirs`: descriptors for the program's 0, 1, 2; `ours`: what to read, by descriptor, until it has ended.

    stdin is a file with `given` (so that nobody has to feed it), else /dev/null; stdout goes to the file
    `into` or to a tail, stderr to a tail. All descriptors are closed with `stack`.
    """

    def __init__(
        self, stack: ExitStack, *, given: bytes | None, into: Path | None, stdout_kept: int, stderr_kept: int
    ) -> None:
        self._stack = stack
        self.stdout, self.stderr = Tail(stdout_kept), Tail(stderr_kept)
        self.ours: dict[int, Tail] = {}
        stdout = self._written_to(self.stdout) if into is None else stack.enter_context(into.open("wb")).fileno()
        self.theirs = [self._read_from(given), stdout, self._written_to(self.stderr)]

    def read(self, fd: int) -> None:
        """Take what is there."""
        with suppress(BlockingIOError):
            self.ours[fd].add(os.read(fd, _CHUNK))

    def drain(self) -> None:
        """Take all that is left in the pipes, without waiting for whoever may still hold them."""
        for fd, tail in self.ours.items():
            with suppress(BlockingIOError):
                while data := os.read(fd, _CHUNK):
                    tail.add(data)

    def _read_from(self, given: bytes | None) -> int:
        if given is None:
            return self._stack.enter_context(open(os.devnull, "rb")).fileno()
        file = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        file.write(given)
        file.seek(0)
        return file.fileno()

    def _written_to(self, tail: Tail) -> int:
        ours, theirs = os.pipe()
        self._stack.callback(os.close, ours)
        self._stack.callback(os.close, theirs)
        os.set_blocking(ours, False)
        self.ours[ours] = tail
        return theirs
