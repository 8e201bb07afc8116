"""Processes of this machine, named so that a pid that was given out again is never mistaken for its predecessor."""

import os
import signal
from pathlib import Path
from typing import NamedTuple

import psutil

from farandole.engines.sqlite.clock import boot_id

_PROC = Path("/proc")


class Process(NamedTuple):
    """One process: `started` tells it from others with its pid, `space` says where the pid means anything."""

    pid: int
    started: int
    space: str


class Seen(NamedTuple):
    """What can be seen of a pid: when its process started, and whether it stands still (state T)."""

    started: int
    stopped: bool


def this_process() -> Process:
    """The calling process."""
    pid = os.getpid()
    seen = look(pid)
    return Process(pid, seen.started if seen else 0, pid_space())


def pid_space() -> str:
    """Boot and pid namespace: containers on one machine number their processes apart."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = "host"
    return f"{boot_id()}/{namespace}"


def look(pid: int) -> Seen | None:
    """The process that has this pid now, or None (a zombie that only waits to be reaped counts as none)."""
    # psutil derives the start from the wall clock, which may jump; the kernel counts ticks since boot.
    if _PROC.joinpath("self/stat").exists():
        return _look_linux(pid)
    try:
        process = psutil.Process(pid)
        state = process.status()
        started = int(process.create_time() * 100)
    except psutil.Error:
        return None
    return None if state == psutil.STATUS_ZOMBIE else Seen(started, state == psutil.STATUS_STOPPED)


def is_gone(process: Process, space: str) -> bool:
    """Whether the process surely ended; False where this cannot be told from here."""
    if process.space != space:
        return False
    seen = look(process.pid)
    return seen.started != process.started if seen else not _is_hidden(process.pid)


def kill_if_stopped(process: Process) -> bool:
    """Kill the process if it is this very one and stopped; whether it was. Raises OSError where not permitted."""
    if not hasattr(os, "pidfd_open"):
        return _is_stopped(process) and _kill(process.pid)
    try:
        pidfd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:  # from here on the pid cannot pass to another process unnoticed
        if not _is_stopped(process):
            return False
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        return True
    finally:
        os.close(pidfd)


def _is_hidden(pid: int) -> bool:
    """Whether it may well live, but is kept from our eyes (another user's, under `hidepid`)."""
    return not (_PROC / str(pid)).exists() and psutil.pid_exists(pid)


def _is_stopped(process: Process) -> bool:
    seen = look(process.pid)
    return seen is not None and seen.started == process.started and seen.stopped


def _kill(pid: int) -> bool:
    os.kill(pid, signal.SIGKILL)
    return True


def _look_linux(pid: int) -> Seen | None:
    """Source: proc_pid_stat(5): the name, field 2, may hold anything; field 3 is the state, 22 the start."""
    try:
        fields = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, started = fields[0], int(fields[19])
    return None if state in (b"Z", b"X") else Seen(started, state == b"T")
