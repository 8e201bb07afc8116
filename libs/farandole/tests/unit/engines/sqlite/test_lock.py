"""The queue of writers excludes, survives the loss of its file, and names its holder truthfully."""

import fcntl
import os
import threading
import time
from pathlib import Path

import pytest

from farandole.engines.sqlite.lock import FileLock
from farandole.engines.sqlite.opening import lock_path
from farandole.engines.sqlite.process import Process, this_process
from libs.farandole.tests.unit.engines.sqlite.stage import playing


def lock_on(path: Path, process: Process | None = None) -> FileLock:
    return FileLock(path, process or this_process())


def take_in_thread(lock: FileLock) -> tuple[threading.Thread, list[float]]:
    waited: list[float] = []
    thread = threading.Thread(target=lambda: waited.append(lock.acquire()))
    thread.start()
    return thread, waited


def test_one_at_a_time_holds_it(tmp_path: Path) -> None:
    """A second one waits until the first releases, says since when, and how long it was."""
    first, second = lock_on(tmp_path / "lock"), lock_on(tmp_path / "lock")
    first.acquire()
    thread, waited = take_in_thread(second)
    time.sleep(0.2)
    assert not waited
    assert second.waiting_since
    first.release()
    thread.join(5)
    assert waited[0] >= 0.2
    assert not second.waiting_since
    first.close()
    second.close()


def test_it_dies_with_its_holder(tmp_path: Path) -> None:
    """Killed, a holder keeps nobody waiting."""
    lock = lock_on(lock_path(tmp_path / "log.db"))
    with playing("seize", tmp_path / "log.db") as holder:
        assert holder.line() == "locked"
        thread, waited = take_in_thread(lock)
        holder.process.kill()
        thread.join(5)
    assert waited
    lock.close()


def test_the_holder_is_known_while_he_holds_it(tmp_path: Path) -> None:
    """Pid, start and space; who let go is not the holder any more, though the file still names him."""
    lock = lock_on(lock_path(tmp_path / "log.db"))
    assert lock.holder() is None
    with playing("seize", tmp_path / "log.db") as holder:
        assert holder.line() == "locked"
        named = lock.holder()
        assert named is not None
        assert (named.pid, named.space) == (holder.pid, this_process().space)
        holder.tell()
        assert holder.line() == "released"
        assert lock.holder() is None
    lock.close()


@pytest.mark.parametrize("record", [b"", b"x", b"12", b"pid start space", b"\xff\xfe", b"0" * 4096])
def test_an_unreadable_record_names_nobody(tmp_path: Path, record: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands in the file."""
    monkeypatch.setattr("farandole.engines.sqlite.lock._KERNEL_TELLS", False)
    path = tmp_path / "lock"
    path.write_bytes(record)
    lock = lock_on(path)
    assert lock.holder() is None
    lock.close()


def test_it_works_when_its_file_is_removed(tmp_path: Path) -> None:
    """Before, while and after it is held: who comes next makes another, on which all agree."""
    path = tmp_path / "lock"
    first, second = lock_on(path), lock_on(path)
    path.unlink()
    first.acquire()
    assert path.exists()
    assert (path.stat().st_mode & 0o777) == 0o600
    path.unlink()
    first.release()
    second.acquire()
    third = lock_on(path)
    thread, waited = take_in_thread(third)
    time.sleep(0.1)
    assert not waited
    second.release()
    thread.join(5)
    assert waited
    for lock in (first, second, third):
        lock.close()


def test_a_holder_is_known_before_he_could_say_who_he_is(tmp_path: Path) -> None:
    """Stopped right after the lock was given to him, or on a full disk: the kernel knows."""
    path = tmp_path / "lock"
    lock = lock_on(path)
    fd = os.open(path, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    named = lock.holder()
    assert named is not None
    assert named == this_process()
    os.close(fd)
    assert lock.holder() is None
    lock.close()


def test_where_no_kernel_tells_the_record_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere than on Linux; on a full disk it merely cannot be said who holds the lock."""
    monkeypatch.setattr("farandole.engines.sqlite.lock._KERNEL_TELLS", False)
    lock = lock_on(tmp_path / "lock")
    lock.acquire()
    assert lock.holder() == this_process()
    lock.release()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    other = lock_on(tmp_path / "other")
    other.acquire()
    assert other.holder() is None
    lock.close()
    other.close()
