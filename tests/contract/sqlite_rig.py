"""`SqliteRig`: one fresh file for a contract case; handles share it as processes would.

A frozen or killed handle is simulated: its writer, the only thread that writes or beats for it, stands still or
ends without releasing anything. Real processes are stopped and killed in `test_sqlite_processes.py`.
"""

import asyncio
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from farandole.engines.sqlite.faults import POINTS
from farandole.engines.sqlite.lock import FileLock
from farandole.engines.sqlite.log import SqliteLog
from farandole.engines.sqlite.writer import Writer
from farandole.log.ports import Log
from farandole.testing.contract.rig import Case

LEASE = 1.2


class SqliteRig:
    """Implements `Rig`."""

    real_time = True
    crash_points: Sequence[str] = POINTS

    def __init__(self, path: Path, *, lease: float = LEASE) -> None:
        self.url = f"sqlite:///{path}"
        self.lease_seconds = lease
        self._path = path
        self._logs: dict[SqliteLog, _Gate] = {}

    def run(self, case: Case) -> None:
        """Run one case, then close all handles."""
        asyncio.run(self._run(case))

    async def open(self) -> SqliteLog:
        """Another handle."""
        log = await SqliteLog.open(self._path, lease=self.lease_seconds)
        writer = _writer(log)
        self._logs[log] = gate = _Gate(writer._parts.lock)
        writer._parts = writer._parts._replace(lock=gate)
        return log

    async def freeze(self, log: Log) -> None:
        """As SIGSTOP: the writer does not get to its next transaction."""
        self._gate(log).shut()

    async def thaw(self, log: Log) -> None:
        """As SIGCONT."""
        self._gate(log).open()

    async def kill(self, log: Log) -> None:
        """As SIGKILL: the writer ends, connections and locks are gone, leases stay as they are."""
        self._gate(log).kill()
        writer = _writer(log)
        writer.fail(OSError("killed by the rig"))
        await asyncio.to_thread(writer._thread.join)

    async def crash_at(self, log: Log, point: str) -> None:
        """End the writer at its next pass of the point, inside its transaction."""

        def passed(here: str) -> None:
            if here == point:
                _crash(point)

        writer = _writer(log)
        writer._parts = writer._parts._replace(passed=passed)

    def cpu_seconds(self, log: Log) -> float:
        """All handles are in this process."""
        return time.process_time()

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    async def _run(self, case: Case) -> None:
        try:
            await case(self)
        finally:
            for log, gate in self._logs.items():
                gate.open()
                await log.close()

    def _gate(self, log: Log) -> "_Gate":
        assert isinstance(log, SqliteLog)
        return self._logs[log]


class _Gate(FileLock):
    """A lock before which a frozen writer stands still."""

    def __init__(self, lock: FileLock) -> None:
        self.__dict__ = lock.__dict__
        self._gate = threading.Event()
        self._gate.set()
        self._killed = False

    def acquire(self) -> float:
        self._gate.wait()
        if self._killed:
            _crash("the gate")
        return super().acquire()

    def shut(self) -> None:
        self._gate.clear()

    def open(self) -> None:
        self._gate.set()

    def kill(self) -> None:
        self._killed = True
        self._gate.set()


def _writer(log: Log) -> Writer:
    assert isinstance(log, SqliteLog)
    assert log._handle._writer is not None
    return log._handle._writer


def _crash(where: str) -> NoReturn:
    raise OSError(f"crashed by the rig at {where}")
