"""What `up` tells of itself to `ps`: one small file a supervisor, beside the log."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Any

import psutil

from farandole.cli.supervise import Child
from farandole.config import Loaded
from farandole.engines.open import sqlite_path

_SAME_START = 2.0  # seconds; two readings of one process's start differ by less, two processes of one pid by more


def run_folder(loaded: Loaded) -> Path:
    """Where the files of the supervisors on this log stand."""
    log = sqlite_path(loaded.config.log)
    return loaded.base / "var" / "farandole" / "up" if log is None else log.with_name(f"{log.name}.up")


class RunFile:
    """The file of this process; written anew with every change, gone with `remove`.

    It is a hint: where it cannot be written (a full disk), services are supervised all the same.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{os.getpid()}.json"
        self._started = psutil.Process().create_time()

    def write(self, children: Iterable[Child]) -> bool:
        """Tell of the children as they are; whether that could be written."""
        body = {"pid": os.getpid(), "started": self._started, "services": [_entry(child) for child in children]}
        folder = self._path.parent
        try:
            for place in (folder.parent, folder):
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd, name = mkstemp(dir=folder)
            try:
                with open(fd, "w") as file:
                    json.dump(body, file)
                os.replace(name, self._path)
            except OSError:
                os.unlink(name)
                raise
        except OSError:
            return False
        return True

    def remove(self) -> None:
        """Nothing runs any more."""
        with suppress(OSError):  # another supervisor's file is there, or none was ever written
            self._path.unlink(missing_ok=True)
            self._path.parent.rmdir()


def read_all(folder: Path) -> Iterator[dict[str, Any]]:
    """The services of every supervisor that lives; what a killed one left is removed."""
    for path in sorted(folder.glob("*.json")):
        try:
            body = json.loads(path.read_bytes())
            alive = is_alive(body["pid"], body["started"])
            services = body["services"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if alive:
            yield from services
        else:
            path.unlink(missing_ok=True)


def is_alive(pid: int | None, started: float | None) -> bool:
    """Whether this very process lives: its pid alone may have been given out again."""
    if pid is None or started is None:
        return False
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < _SAME_START and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _entry(child: Child) -> dict[str, Any]:
    return {
        "service": child.name,
        "target": child.target,
        "state": child.state,
        "pid": child.pid,
        "started": _create_time(child.pid),
        "since": child.since,
        "restarts": child.restarts,
    }


def _create_time(pid: int | None) -> float | None:
    try:
        return None if pid is None else psutil.Process(pid).create_time()
    except psutil.Error:
        return None
