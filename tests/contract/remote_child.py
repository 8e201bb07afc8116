"""The process of one handle: opens a log and does what it is told, each call begun in the order in which it came."""

import asyncio
import inspect
import os
import signal
import socket
from collections.abc import Callable, Mapping
from itertools import count
from typing import Final, NoReturn, Protocol, cast

from farandole.engines.open import open_log
from farandole.engines.sqlite.log import SqliteLog
from farandole.log.ports import Capabilities, Log, Reader
from farandole.log.record import TopicPartition
from tests.contract.remote_wire import LOG, PROCESS, Answer, Call, Cancel, Cancelled, Frames, Raised, Returned, raised

Plant = Callable[[Log, str], None]
"""Makes the calling process kill itself when the handle next passes the point of this name."""


async def serve(given: socket.socket) -> NoReturn:
    """Answer calls until the other end is closed, which ends the process at once, as a kill would."""
    served = _Served()
    await asyncio.get_running_loop().create_unix_connection(lambda: served.frames, sock=given)
    while True:
        await asyncio.get_running_loop().create_future()


def dies_at(point: str) -> Callable[[str], None]:
    """To be called with every point that is passed: kills the process at this one."""

    def passed(here: str) -> None:
        if here == point:
            signal.raise_signal(signal.SIGKILL)  # in this thread, so that it does not get any further

    return passed


def plant_sqlite(log: Log, point: str) -> None:
    """In the writer, which passes its points inside the transaction."""
    assert isinstance(log, SqliteLog)
    writer = log._handle._writer
    assert writer is not None
    writer._parts = writer._parts._replace(passed=dies_at(point))


def plant_kafka(log: Log, point: str) -> None:
    """In the handle, which calls `_passed` with the name of each point."""
    cast(_Passing, log)._passed = dies_at(point)


PLANTS: Final[Mapping[str, Plant]] = {"sqlite": plant_sqlite, "kafka": plant_kafka}
"""By the scheme of the log's URL."""


class _Passing(Protocol):
    _passed: Callable[[str], None]


class _Served:
    """What the other end can call: this process, its log, and what the log made."""

    def __init__(self) -> None:
        self.frames = Frames(self._received, lambda: os._exit(0))
        self._url = ""
        self._targets: dict[int, object] = {PROCESS: self}
        self._readers: dict[int, Reader] = {}
        self._numbers = count(LOG + 1)
        self._calls: dict[int, asyncio.Task[None]] = {}

    async def open(self, url: str) -> Capabilities:
        """Open the log; the only one of this process."""
        self._url = url
        self._targets[LOG] = log = await open_log(url)
        return log.capabilities

    async def plant(self, point: str) -> None:
        """Die at the next pass of a point. Raises ValueError for an engine of which no points are known."""
        scheme = self._url.partition(":")[0]
        if scheme not in PLANTS:
            raise ValueError(f"nobody knows the crash points of {scheme!r}: add them to PLANTS")
        PLANTS[scheme](cast(Log, self._targets[LOG]), point)

    def _received(self, frame: object) -> None:
        """Tasks begin in the order in which they are made, up to their first suspension, as calls of a caller do."""
        loop = asyncio.get_running_loop()
        if isinstance(frame, Cancel):
            loop.call_soon(self._cancel, frame.number)  # not before the call has begun
        elif isinstance(frame, Call):
            self._calls[frame.number] = loop.create_task(self._answer(frame))

    def _cancel(self, number: int) -> None:
        if number in self._calls:  # else its answer is on its way
            self._calls[number].cancel()

    async def _answer(self, call: Call) -> None:
        ended: Returned | Raised | Cancelled
        try:
            ended = Returned(await self._result(call))
        except asyncio.CancelledError:
            ended = Cancelled()
        except Exception as error:
            ended = raised(error)
        del self._calls[call.number]
        if call.awaited or isinstance(ended, Raised):
            self._send(Answer(call.number, ended, self._positions(call, ended)))

    async def _result(self, call: Call) -> object:
        """What the call gives; of what it made, the number."""
        result: object = getattr(self._targets[call.target], call.method)(*call.args, **call.options)
        if inspect.isawaitable(result):
            result = await result
        if call.target != LOG or call.method not in ("subscribe", "reader"):
            return result
        number = next(self._numbers)
        self._targets[number] = result
        if call.method == "reader":
            self._readers[number] = cast(Reader, result)
        return number

    def _positions(self, call: Call, ended: Returned | Raised | Cancelled) -> dict[TopicPartition, int] | None:
        """Where the reader stands that was called, or made."""
        number = ended.value if call.method == "reader" and isinstance(ended, Returned) else call.target
        reader = self._readers.get(cast(int, number))
        return None if reader is None or call.method == "close" else reader.positions()

    def _send(self, answer: Answer) -> None:
        try:
            self.frames.send(answer)
        except Exception as error:  # whatever keeps a value from being pickled: the caller has to know
            self.frames.send(Answer(answer.number, raised(error), answer.positions))
