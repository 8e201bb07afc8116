"""The queue of writers: a lock on a side file that dies with its holder, and that names its holder.

SQLite's own lock stays what keeps the file whole; this one only orders those who wait, for SQLite lets them
starve. So it may be missing or removed at any time: then SQLite's waiting is all there is.
"""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from farandole.engines.sqlite.process import Process, look

_RECORD = 256  # bytes of a holder's record, more than any has
_LOCKS = Path("/proc/locks")
_KERNEL_TELLS = _LOCKS.exists()


class FileLock:
    """An exclusive lock on a side file. One thread takes and releases it, any may look at it."""

    def __init__(self, path: Path, process: Process) -> None:
        self.path = path
        self.process = process
        self.waiting_since: float | None = None
        """`time.monotonic()` when the present wait began."""
        self._record = f"{process.pid} {process.started} {process.space}\n".ljust(_RECORD).encode()
        self._fd = self._open()

    def acquire(self) -> float:
        """Take the lock, in the order of arrival; how many seconds that took. Raises OSError."""
        began = time.monotonic()
        self._take(began)
        while not self._is_current():
            self.close()
            self._fd = self._open()
            self._take(began)
        if not _KERNEL_TELLS:
            with suppress(OSError):  # the disk is full: nobody can read who we are, but the lock is ours
                os.pwrite(self._fd, self._record, 0)
        return time.monotonic() - began

    def release(self) -> None:
        """Let the next one have it."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of lock and file; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def holder(self) -> Process | None:
        """Who holds the lock; None where nobody does, or where it cannot be told."""
        try:
            if _KERNEL_TELLS:
                return self._kernel_says(self.path.stat().st_ino)
            return _read_record(self.path.read_bytes())
        except OSError:
            return None

    def _kernel_says(self, inode: int) -> Process | None:
        """No record: between taking the lock and writing who took it, a process may be stopped too."""
        pid = _locked_by(inode)
        seen = look(pid) if pid else None
        return Process(pid, seen.started, self.process.space) if pid and seen and _locked_by(inode) == pid else None

    def _take(self, began: float) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.waiting_since = began
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX)
            finally:
                self.waiting_since = None

    def _is_current(self) -> bool:
        """Whether the path still leads to what we hold: who finds it missing makes another."""
        try:
            there, ours = os.stat(self.path), os.fstat(self._fd)
        except FileNotFoundError:
            return False
        return (there.st_ino, there.st_dev) == (ours.st_ino, ours.st_dev)

    def _open(self) -> int:
        return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _read_record(record: bytes) -> Process | None:
    try:
        pid, started, space = record.decode().split()[:3]
        return Process(int(pid), int(started), space)
    except ValueError:
        return None


def _locked_by(inode: int) -> int | None:
    """The process that has the lock; those of other pid namespaces are not listed. Source: proc_locks(5)."""
    for line in _LOCKS.read_text().splitlines():
        words = line.split()
        if words[1] == "FLOCK" and words[5].rpartition(":")[2] == str(inode):  # a waiter's line has "->" there
            return int(words[4])
    return None
