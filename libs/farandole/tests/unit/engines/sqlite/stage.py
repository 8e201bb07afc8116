"""Starting actors as processes, and making sure that none is left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ACTORS = Path(__file__).with_name("actors.py")


class Actor:
    """One process; what it says comes line by line."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def line(self) -> str:
        """The next line that it says; empty when it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, text: str = "") -> None:
        """Give it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def send(self, number: signal.Signals) -> None:
        """Signal it."""
        self.process.send_signal(number)

    def end(self, timeout: float = 30) -> int:
        """Wait for its end; the exit code, negative for a signal."""
        return self.process.wait(timeout)


@contextmanager
def playing(name: str, *arguments: object, fault: str = "", before: Sequence[str] = ()) -> Iterator[Actor]:
    """An actor that is killed in the end, if it still lives. `before`: a command that runs it, such as strace."""
    environment = os.environ | ({"FARANDOLE_FAULT": fault} if fault else {})
    command = [*before, sys.executable, str(ACTORS), name, *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        try:
            yield Actor(process)
        finally:
            _kill_session(process)


def _kill_session(process: "subprocess.Popen[str]") -> None:
    """The actor, and what runs it: they are a session, which nobody else is in."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
