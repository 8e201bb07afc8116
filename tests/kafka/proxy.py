"""A proxy that understands as much of Kafka's protocol as it needs to lose and delay chosen requests, or all.

A request is `size, api key, version, correlation id, …`, its answer `size, correlation id, …`, all big-endian.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

PRODUCE, JOIN, HEARTBEAT, SYNC, INIT = 0, 11, 12, 14, 22
ADD_PARTITIONS, ADD_OFFSETS, END_TXN, TXN_OFFSET_COMMIT = 24, 25, 26, 28
Deed = Literal["lose request", "lose answer", "delay"]
_SIZE = struct.Struct(">i")
_REQUEST = struct.Struct(">hhi")


@dataclass
class Fault:
    """Done to the next `times` requests of an API, or `seconds` later to their answers. `done` counts."""

    api: int
    deed: Deed
    times: int = 1
    seconds: float = 0.0
    done: int = 0
    met: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Proxy:
    """Stands before one broker."""

    port: int
    faults: list[Fault] = field(default_factory=list)
    target: tuple[str, int] | None = None
    passable: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set nothing passes, nobody is told, and what was sent comes late: a network that is cut."""

    def inflict(self, fault: Fault) -> Fault:
        """From now on."""
        self.faults.append(fault)
        return fault

    def meet(self, api: int) -> Fault | None:
        """The fault that the next request of this API meets."""
        for fault in self.faults:
            if fault.api == api and fault.done < fault.times:
                fault.done += 1
                fault.met.set()
                return fault
        return None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client, until either side ends it."""
        assert self.target is not None
        await self.passable.wait()
        try:
            there_reader, there = await asyncio.open_connection(*self.target)
        except OSError:
            writer.close()
            return
        lost: dict[int, float] = {}  # correlation ids whose answer is not to arrive, and seconds until that is seen
        ways = [
            asyncio.create_task(self._requests(reader, there, lost)),
            asyncio.create_task(self._answers(there_reader, writer, lost)),
        ]
        try:
            with suppress(asyncio.CancelledError):  # the loop ends; streams of Python 3.11 complain of it
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, there):
                end.close()

    async def _requests(
        self, reader: asyncio.StreamReader, there: asyncio.StreamWriter, lost: dict[int, float]
    ) -> None:
        async for frame in _frames(reader):
            api, _, correlation = _REQUEST.unpack_from(frame)
            fault = self.meet(api)
            if fault is not None and fault.deed == "lose request":
                return  # the connection is cut, as by a network that failed
            if fault is not None and fault.deed == "delay":
                await asyncio.sleep(fault.seconds)
            if fault is not None and fault.deed == "lose answer":
                lost[correlation] = fault.seconds
            await self.passable.wait()
            there.write(_SIZE.pack(len(frame)) + frame)
            await there.drain()

    async def _answers(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, lost: dict[int, float]) -> None:
        async for frame in _frames(reader):
            (correlation,) = _SIZE.unpack_from(frame)
            if correlation in lost:
                await asyncio.sleep(lost[correlation])
                return  # the broker has done it, and nobody hears of it
            await self.passable.wait()
            back.write(_SIZE.pack(len(frame)) + frame)
            await back.drain()


async def _frames(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            (size,) = _SIZE.unpack(await reader.readexactly(_SIZE.size))
            yield await reader.readexactly(size)


@asynccontextmanager
async def proxied(port: int, target: tuple[str, int]) -> AsyncIterator[Proxy]:
    """A proxy on loopback until the block ends."""
    proxy = Proxy(port, target=target)
    proxy.passable.set()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", port)
    try:
        yield proxy
    finally:
        server.close()
