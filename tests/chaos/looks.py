"""What the killer sees of the dance, from outside: processes, and the log's file read raw."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import apsw
import msgspec
import psutil


def services(up: int) -> dict[str, int]:
    """Name and process of every service below `farandole up`, where it runs."""
    found = {}
    with suppress(psutil.NoSuchProcess):
        for process in psutil.Process(up).children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                words = process.cmdline()
                if "run" in words and words[-1].endswith(":service") and process.status() != psutil.STATUS_ZOMBIE:
                    found[words[-1].partition(".")[0]] = process.pid
    return found


def in_flight(log: Path) -> set[str]:
    """Services that have taken records which they have not committed yet."""
    busy = set()
    with suppress(apsw.Error, OSError):
        db = apsw.Connection(str(log), flags=apsw.SQLITE_OPEN_READONLY)
        db.set_busy_timeout(200)
        position = dict(db.execute("SELECT id, next FROM position"))
        names = dict(db.execute("SELECT id, name FROM grp"))
        for (lease,) in db.execute("SELECT id FROM lease WHERE member IS NOT NULL"):
            tp = lease & ((1 << 24) - 1)
            if position.get(lease, 0) < position.get(tp, 0):
                busy.add(names[lease >> 24].partition("/")[0])
        busy |= _open_rows(db)
        db.close()
    return busy


def _open_rows(db: apsw.Connection) -> set[str]:
    """Services with a delivery that runs for so long that the position went on without it."""
    found = set()
    for name, value in db.execute(
        "SELECT topic.name, latest.value FROM latest JOIN topic ON latest.tp >= topic.first "
        "AND latest.tp < topic.first + topic.partitions WHERE topic.name LIKE '%.state' AND latest.value NOT NULL"
    ):
        if msgspec.msgpack.decode(value).get("kind") == "open":
            found.add(name.partition(".")[0])
    return found


def stop_inside_write(log: Path, *, within: float) -> int | None:
    """Stop whoever writes to the log, inside the write; the process, or None where none was caught in time."""
    side = log.with_name(f"{log.name}-lock")
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        with suppress(OSError, psutil.Error):
            pid = _holder(side)
            if pid is None or pid == os.getpid():  # the publisher writes too, and is not to be stopped by itself
                continue
            os.kill(pid, signal.SIGSTOP)
            if _stands_still(pid) and _holder(side) == pid:
                return pid
            os.kill(pid, signal.SIGCONT)  # it was out again
    return None


def stop_outside_write(log: Path, pid: int) -> None:
    """Stop a process that does not write to the log just now; one that did would soon be killed for it."""
    side = log.with_name(f"{log.name}-lock")
    while True:
        os.kill(pid, signal.SIGSTOP)
        if _stands_still(pid) and _holder(side) != pid:
            return
        os.kill(pid, signal.SIGCONT)


def _stands_still(pid: int) -> bool:
    """Whether all threads of it are stopped; the signal needs a moment."""
    for _ in range(1000):
        tasks = Path(f"/proc/{pid}/task").glob("*/stat")
        if all(task.read_text().rpartition(")")[2].split()[0] in "TZX" for task in tasks):
            return True
        time.sleep(0.001)
    return False


def _holder(side: Path) -> int | None:
    """Who has the lock on the side file, by the kernel's word."""
    inode = str(side.stat().st_ino)
    for line in Path("/proc/locks").read_text().splitlines():
        words = line.split()
        if words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode:
            return int(words[4])
    return None


def marked(token: str) -> list[int]:
    """Processes anywhere whose environment holds the token."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.status() != psutil.STATUS_ZOMBIE and token in process.environ().values():
                found.append(process.pid)
    return [pid for pid in found if pid != os.getpid()]
