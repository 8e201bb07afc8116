"""A terminal with a shell in it, as a reader of the tutorial has one; ends with everything it started."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.cli.project import alive, descendants

_COLUMNS, _LINES = 240, 50  # as wide as no table has to be folded
_STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_MARK = re.compile("\x1e(?P<code>[0-9]+) (?P<folder>[^\x1e]*)\x1e\n?")
_ENDS = 60.0  # seconds in which what was interrupted must have ended


@dataclass(frozen=True, slots=True)
class Screen:
    """What a command has printed; `code` and `folder` (where the shell is then) once it has ended."""

    text: str
    code: int | None = None
    folder: Path = Path()


class Terminal:
    """bash on a pseudo-terminal. One command at a time; `press_ctrl_c` ends one that goes on."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._master, screen = pty.openpty()
        fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, _COLUMNS, 0, 0))
        argv = ["bash", "--norc", "--noprofile"]
        self._shell = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=screen, stderr=screen, cwd=folder, env=env, start_new_session=True
        )
        os.close(screen)
        self._printed = bytearray()
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def type(self, command: str) -> None:
        """Start a command; whatever was printed before is gone from the screen."""
        with self._news:
            self._printed.clear()
        line = f"{{ {command}\n}} </dev/null\ncode=$?; printf '\\036%s %s\\036\\n' $code \"$PWD\"; (exit $code)\n"
        assert self._shell.stdin is not None
        self._shell.stdin.write(line.encode())
        self._shell.stdin.flush()

    def press_ctrl_c(self) -> None:
        """Interrupt what runs in the foreground."""
        with self._news:
            self._printed.clear()
        os.killpg(self._shell.pid, signal.SIGINT)

    def look(self, until: Callable[[Screen], bool], timeout: float) -> Screen:
        """The screen, once it satisfies `until`, or as it is when the command has ended or the time is over."""
        deadline = time.monotonic() + timeout
        with self._news:
            while True:
                screen = _screen(self._printed)
                left = deadline - time.monotonic()
                if until(screen) or screen.code is not None or left <= 0 or not self._reader.is_alive():
                    return screen
                self._news.wait(left)

    def close(self) -> list[str]:
        """End the shell and all that runs in it; what had to be killed."""
        inside = descendants(self._shell.pid)
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        if inside:
            os.killpg(self._shell.pid, signal.SIGINT)
        try:
            self._shell.wait(_ENDS)
        except subprocess.TimeoutExpired:
            self._shell.kill()
            self._shell.wait()
        stray = alive(inside)
        for process in stray:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._reader.join(_ENDS)
        os.close(self._master)
        return [str(process) for process in stray]

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 1 << 16)
            except OSError:  # the last process that had the terminal has closed it
                data = b""
            with self._news:
                self._printed += data
                self._news.notify_all()
            if not data:
                return


def _screen(printed: bytearray) -> Screen:
    text = printed.decode("utf-8", "replace").replace("\r\n", "\n")
    mark = _MARK.search(text)
    shown = "\n".join(_STYLE.sub("", line.rpartition("\r")[2]) for line in _MARK.sub("", text).split("\n"))
    return Screen(shown) if mark is None else Screen(shown, int(mark["code"]), Path(mark["folder"]))
