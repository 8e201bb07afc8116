"""`ProcessRig`: handles in processes of their own, really stopped, resumed, killed, and crashed at named points."""

import asyncio
from collections.abc import Sequence

from farandole.log.ports import Log
from farandole.testing.contract.rig import Case
from tests.contract.remote import Channel, RemoteLog
from tests.contract.remote_process import Process, zygote

CLOSING = 5.0
"""Seconds that a handle has for closing when its case is over; then it is killed."""


class ProcessRig:
    """Implements `Rig`. `lease_seconds` and `crash_points` are those of the engine that the URL names.

    `preload`: modules to be imported once and not by each process; they must not start threads.
    """

    real_time = True

    def __init__(
        self, url: str, *, lease_seconds: float, crash_points: Sequence[str], preload: Sequence[str] = ()
    ) -> None:
        self.url = url
        self.lease_seconds = lease_seconds
        self.crash_points = crash_points
        self._zygote = zygote(*preload)
        self._processes: dict[Channel, Process] = {}
        self._logs: list[RemoteLog] = []

    def run(self, case: Case) -> None:
        """Run one case, then close the handles that still live and end every process."""
        asyncio.run(self._run(case))

    async def open(self) -> RemoteLog:
        """Another handle, in another process."""
        process, own = self._zygote.spawn()
        channel = await Channel.over(own)
        self._processes[channel] = process
        self._logs.append(await RemoteLog.open(channel, self.url))
        return self._logs[-1]

    async def freeze(self, log: Log) -> None:
        """SIGSTOP; returns when every thread stands still."""
        await self.process(log).freeze()

    async def thaw(self, log: Log) -> None:
        """SIGCONT."""
        self.process(log).thaw()

    async def kill(self, log: Log) -> None:
        """SIGKILL; returns when the process is gone and its pending calls have ended."""
        assert isinstance(log, RemoteLog)
        await self.process(log).kill()
        await log.channel.ended()

    async def crash_at(self, log: Log, point: str) -> None:
        """The process kills itself when it next passes the point."""
        assert isinstance(log, RemoteLog)
        await log.plant(point)

    def cpu_seconds(self, log: Log) -> float:
        """Of the process of this handle."""
        return self.process(log).cpu_seconds()

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    def process(self, log: Log) -> Process:
        """The process of a handle."""
        assert isinstance(log, RemoteLog)
        return self._processes[log.channel]

    async def _run(self, case: Case) -> None:
        try:
            await case(self)
        finally:
            failed = await self._end()
        if failed:
            raise ExceptionGroup("what a case left open could not be closed", failed)

    async def _end(self) -> list[Exception]:
        """Close every handle and end every process; what could not be closed, says why."""
        ended = await asyncio.gather(*(self._close(log) for log in self._logs), return_exceptions=True)
        for channel, process in self._processes.items():  # among them those in which no log could be opened
            await process.kill()
            await channel.ended()
            process.close()
        return [error for error in ended if isinstance(error, Exception)]

    async def _close(self, log: RemoteLog) -> None:
        await self.thaw(log)
        closing = asyncio.ensure_future(log.close())
        await asyncio.wait([closing], timeout=CLOSING)
        await self.kill(log)
        await closing
