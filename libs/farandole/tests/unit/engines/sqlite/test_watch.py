"""Who stops while he holds the writers' lock is killed; nobody else is."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from farandole.engines.sqlite import process as processes
from farandole.engines.sqlite.lock import FileLock
from farandole.engines.sqlite.opening import lock_path
from farandole.engines.sqlite.process import Process, kill_if_stopped, look, this_process
from farandole.engines.sqlite.watch import Watch
from libs.farandole.tests.unit.engines.sqlite.stage import Actor, playing
from libs.farandole.tests.unit.engines.sqlite.support import Notes

pytestmark = pytest.mark.chaos

KILLED = "holder of the log's lock stood still and was killed"
WAITING = "waiting for the log's lock"


@contextmanager
def waiting(path: Path) -> Iterator[FileLock]:
    """A lock that some thread waits for; let go in the end."""
    lock = FileLock(lock_path(path), this_process())
    thread = threading.Thread(target=lock.acquire, daemon=True)
    thread.start()
    until(lambda: lock.waiting_since is not None)
    yield lock
    thread.join(10)
    assert not thread.is_alive()
    lock.close()


def until(truth: Callable[[], object]) -> None:
    """Wait for something that has to come."""
    deadline = time.monotonic() + 10
    while not truth():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def stopped(actor: Actor) -> Process:
    """The actor as a process, once it stands still."""
    actor.send(signal.SIGSTOP)
    until(lambda: (seen := look(actor.pid)) and seen.stopped)
    seen = look(actor.pid)
    assert seen is not None
    return Process(actor.pid, seen.started, this_process().space)


def test_a_stopped_holder_is_killed(tmp_path: Path) -> None:
    """After the patience, not before; what was done is noted."""
    notes = Notes()
    with playing("seize", tmp_path / "log.db") as holder:
        assert holder.line() == "locked"
        stopped(holder)
        with waiting(tmp_path / "log.db") as lock:
            watch = Watch(lock, notes, patience=0.5)
            watch.check()
            assert holder.process.poll() is None
            until(lambda: watch.check() is not None and holder.process.poll() is not None)
        assert holder.end() == -signal.SIGKILL
    assert notes.events == [KILLED]
    assert notes.seen[0][1]["pid"] == holder.pid


def test_a_holder_that_works_is_left_alone(tmp_path: Path) -> None:
    """However long it takes: that we wait for him is said once."""
    notes = Notes()
    with playing("seize", tmp_path / "log.db") as holder:
        assert holder.line() == "locked"
        with waiting(tmp_path / "log.db") as lock:
            watch = Watch(lock, notes, patience=0.1)
            time.sleep(0.2)
            watch.check()
            watch.check()
            assert holder.process.poll() is None
            holder.tell()
    assert notes.events == [WAITING]


def test_a_stopped_process_that_let_go_is_left_alone(tmp_path: Path) -> None:
    """Another holds the lock, and is the one that is told of."""
    notes = Notes()
    with playing("seize", tmp_path / "log.db") as former:
        assert former.line() == "locked"
        former.tell()
        assert former.line() == "released"
        stopped(former)
        with playing("seize", tmp_path / "log.db") as holder:
            assert holder.line() == "locked"
            with waiting(tmp_path / "log.db") as lock:
                time.sleep(0.2)
                Watch(lock, notes, patience=0.1).check()
                assert former.process.poll() is None
                assert holder.process.poll() is None
                holder.tell()
    assert notes.events == [WAITING]


def test_another_process_with_the_same_pid_is_left_alone(tmp_path: Path) -> None:
    """A pid that was given out again is not the holder."""
    with playing("seize", tmp_path / "log.db") as other:
        assert other.line() == "locked"
        now = stopped(other)
        assert not kill_if_stopped(now._replace(started=now.started - 1))
        assert not kill_if_stopped(now._replace(pid=2**22 - 1))
        assert other.process.poll() is None
        assert kill_if_stopped(now)
        assert other.end() == -signal.SIGKILL


def test_pids_of_another_container_mean_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A holder that the file says to be of another pid namespace is neither looked up nor killed here."""
    notes = Notes()
    monkeypatch.setattr("farandole.engines.sqlite.lock._KERNEL_TELLS", False)
    with playing("seize", tmp_path / "log.db") as holder:
        assert holder.line() == "locked"
        seen = stopped(holder)
        record = f"{seen.pid} {seen.started} another-boot/pid:[1]"
        lock_path(tmp_path / "log.db").write_text(record)
        with waiting(tmp_path / "log.db") as lock:
            time.sleep(0.2)
            Watch(lock, notes, patience=0.1).check()
            assert holder.process.poll() is None
            holder.send(signal.SIGCONT)
            holder.tell()
    assert notes.events == [WAITING]


def test_who_may_not_kill_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A holder of another user is named, so that an operator can see to it."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    notes = Notes()
    with playing("seize", tmp_path / "log.db") as holder:
        assert holder.line() == "locked"
        stopped(holder)
        with waiting(tmp_path / "log.db") as lock:
            time.sleep(0.2)
            with monkeypatch.context() as patched:
                patched.setattr(signal, "pidfd_send_signal", refuse)
                Watch(lock, notes, patience=0.1).check()
            assert holder.process.poll() is None
            holder.send(signal.SIGCONT)
            holder.tell()
    assert notes.events[0] == "holder of the log's lock may not be killed"


def test_a_process_is_seen_as_the_kernel_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alive, gone, waiting to be reaped, and with a name that would confuse a simpler reader."""
    own = this_process()
    seen = look(os.getpid())
    assert seen is not None
    assert (seen.started, seen.stopped) == (own.started, False)
    assert look(2**22 - 1) is None
    with subprocess.Popen(["true"]) as child:
        until(lambda: look(child.pid) is None)  # ended, not yet reaped
    assert processes.is_gone(Process(child.pid, 1, own.space), own.space)
    assert processes.is_gone(own._replace(started=own.started + 1), own.space)
    assert not processes.is_gone(own, own.space)
    with monkeypatch.context() as patched:  # another user's, hidden from us
        patched.setattr(psutil, "pid_exists", lambda pid: True)
        assert not processes.is_gone(Process(2**22 - 1, 1, own.space), own.space)
    assert not processes.is_gone(Process(child.pid, 1, "elsewhere"), own.space)
