"""Files on their way into a store: locked while they are written, swept when their writer was killed."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from tempfile import mkstemp

_STALE_AFTER = 3600.0  # seconds; only then is a temporary file that nobody locks taken for a dead writer's


class Drafts:
    """In `folder`, which has to be there and lies on the file system of what the drafts become."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._swept = False

    @contextmanager
    def new(self) -> Iterator[tuple[FileIO, str]]:
        """A locked file and its name; gone afterwards unless it was renamed."""
        fd, name = mkstemp(dir=self.folder)
        with open(fd, "w+b", buffering=0) as file:
            fcntl.flock(fd, fcntl.LOCK_EX)
            try:
                yield file, name
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(name)

    def sweep(self) -> None:
        """Once a process: remove what writers that were killed left. A living writer holds its lock."""
        with self._lock:
            swept, self._swept = self._swept, True
        if swept:
            return
        with suppress(FileNotFoundError):
            for entry in os.scandir(self.folder):
                with suppress(FileNotFoundError, BlockingIOError):
                    if time.time() - entry.stat().st_mtime > _STALE_AFTER:
                        _remove_unlocked(entry.path)


def _remove_unlocked(path: str) -> None:
    with open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
