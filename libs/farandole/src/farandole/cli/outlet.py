"""Where the lines of several services go: to our own stdout and stderr, each with its service's name before it."""

import os
import sys
from collections.abc import Iterable
from typing import TextIO

_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
_RESET = "\x1b[0m"


class Outlet:
    """Prefixes lines with names of equal width, coloured on terminals. Each writer says whether anybody reads."""

    def __init__(self, names: Iterable[str]) -> None:
        known = list(names)
        self._width = max(map(len, known), default=0)
        self._colours = {name: _COLOURS[number % len(_COLOURS)] for number, name in enumerate(known)}

    def stdout(self, name: str, text: bytes) -> bool:
        """Write a child's line to stdout."""
        return self._write(sys.stdout, name, text)

    def stderr(self, name: str, text: bytes) -> bool:
        """Write a child's line to stderr."""
        return self._write(sys.stderr, name, text)

    def say(self, name: str, text: str) -> None:
        """A line of the supervisor's own about a child."""
        self._write(sys.stderr, name, f"farandole: {text}\n".encode())

    def _write(self, stream: TextIO, name: str, text: bytes) -> bool:
        prefix = f"{name:<{self._width}} | "
        if stream.isatty():
            prefix = f"\x1b[{self._colours.get(name, 0)}m{prefix}{_RESET}"
        whole = text if text.endswith(b"\n") else text + b"\n"
        try:
            stream.flush()
            _write_all(stream.fileno(), prefix.encode() + whole)
        except OSError as error:  # on a full disk a line is lost, which is no reason to stop anybody's work
            return not isinstance(error, BrokenPipeError)
        return True


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
