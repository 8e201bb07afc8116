"""What the attackers see from outside: processes, and the marks of running steps."""

import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

TARGET = "tests.chaos_kafka.chain:"


class Mark(NamedTuple):
    """A step that runs, or ran when its process was killed."""

    pid: int
    service: str
    number: int
    part: int


def services(up: int) -> dict[int, str]:
    """Process and service of all that run below `farandole up`."""
    found = {}
    with suppress(psutil.NoSuchProcess):
        for process in psutil.Process(up).children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                words = process.cmdline()
                if "run" in words and words[-1].startswith(TARGET) and process.status() != psutil.STATUS_ZOMBIE:
                    found[process.pid] = words[-1].removeprefix(TARGET)
    return found


def marks(folder: Path) -> list[Mark]:
    """Every mark, whoever made it."""
    parts = [path.name.split("~") for path in folder.iterdir()]
    return [Mark(int(pid), service, int(number), int(part)) for pid, service, number, part in parts]


def collect(folder: Path, pid: int) -> list[Mark]:
    """The marks of a process that has ended, which are removed."""
    found = [mark for mark in marks(folder) if mark.pid == pid]
    for mark in found:
        (folder / "~".join(map(str, mark))).unlink(missing_ok=True)
    return found


def wait_end(pid: int, within: float = 10.0) -> None:
    """Until a killed process runs no more. Raises AssertionError where it does."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.005)
    raise AssertionError(f"process {pid} was killed and runs on")


def wait_mark_gone(folder: Path, pid: int, within: float) -> None:
    """Until a step of the process that runs now has ended, or time is up."""
    before = {mark for mark in marks(folder) if mark.pid == pid}
    deadline = time.monotonic() + within
    while before <= set(marks(folder)) and time.monotonic() < deadline:
        time.sleep(0.002)
