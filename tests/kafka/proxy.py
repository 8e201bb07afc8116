"""A proxy that understands as much of Kafka's protocol as it needs to lose and delay chosen requests, or all.

A request is `size, api key, version, correlation id, …`, its answer `size, correlation id, …`, all big-endian.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

PRODUCE, METADATA, JOIN, HEARTBEAT, SYNC, INIT = 0, 3, 11, 12, 14, 22
ADD_PARTITIONS, ADD_OFFSETS, END_TXN, TXN_OFFSET_COMMIT = 24, 25, 26, 28
Deed = Literal["lose request", "lose answer", "delay", "hold"]
_SIZE = struct.Struct(">i")
_REQUEST = struct.Struct(">hhi")
_TEXT = struct.Struct(">h")
_COMPACT_FROM = {END_TXN: 3, INIT: 2}  # versions whose texts begin with a varint, after a byte of no tagged fields
_DESERTED = {  # after the correlation id: no tags, no wait, no brokers, no cluster id, no controller; one topic of whom
    # the leader is not available: its name, no id, not internal, no partitions, no rights; by version, 13 with an error
    12: b"\0\0\0\0\0\1\0\xff\xff\xff\xff\2" + b"\0\5\2t" + bytes(17) + b"\1" + bytes(4) + b"\0\0",
}
_DESERTED[13] = _DESERTED[12][:-1] + b"\0\0\0"
_GIVE_WAY = 1.0  # seconds that a held request has for its answer before who asked for it to be sent goes on


@dataclass
class Fault:
    """Done to the next `times` requests of an API, or `seconds` later to their answers. `done` counts.

    What ends a transaction can be held: at most for `seconds`, or until somebody begins under its transactional id,
    who then comes second. `peers`: the ports of the clients that it meets; None: all.
    """

    api: int
    deed: Deed
    times: int = 1
    seconds: float = 0.0
    done: int = 0
    met: asyncio.Event = field(default_factory=asyncio.Event)
    peers: frozenset[int] | None = None
    transaction: str = ""
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    answered: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Proxy:
    """Stands before one broker."""

    port: int
    faults: list[Fault] = field(default_factory=list)
    target: tuple[str, int] | None = None
    passable: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set nothing passes, nobody is told, and what was sent comes late: a network that is cut."""
    deserted: bool = False
    """Whoever asks for metadata hears of a cluster without brokers, as the last one says while it shuts down."""

    def inflict(self, fault: Fault) -> Fault:
        """From now on."""
        self.faults.append(fault)
        return fault

    def meet(self, api: int, peer: int = 0) -> Fault | None:
        """The fault that the next request of this API, from this port, meets."""
        for fault in self.faults:
            if fault.api == api and fault.done < fault.times and (fault.peers is None or peer in fault.peers):
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
        peer = writer.get_extra_info("peername")[1]
        # by the correlation id of the answer that is not to arrive, to be told of, or another one
        marked: dict[int, Fault | bytes] = {}
        ways = [
            asyncio.create_task(self._requests(reader, there, peer, marked)),
            asyncio.create_task(self._answers(there_reader, writer, marked)),
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
        self, reader: asyncio.StreamReader, there: asyncio.StreamWriter, peer: int, marked: dict[int, Fault | bytes]
    ) -> None:
        async for frame in _frames(reader):
            api, version, correlation = _REQUEST.unpack_from(frame)
            if self.deserted and api == METADATA:
                marked[correlation] = _DESERTED[version]
            if api == INIT:
                await self._after_what_is_held(_transaction(frame))
            fault = self.meet(api, peer)
            if fault is not None:
                marked[correlation] = fault
                if fault.deed == "lose request":
                    return  # the connection is cut, as by a network that failed
                if fault.deed == "delay":
                    await asyncio.sleep(fault.seconds)
                if fault.deed == "hold":
                    fault.transaction = _transaction(frame)
                    await _at_most(fault.wanted, fault.seconds)
            await self.passable.wait()
            there.write(_SIZE.pack(len(frame)) + frame)
            await there.drain()

    async def _after_what_is_held(self, transaction: str) -> None:
        for fault in self.faults:
            if fault.transaction == transaction and not fault.answered.is_set():
                fault.wanted.set()
                await _at_most(fault.answered, _GIVE_WAY)

    async def _answers(
        self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, marked: dict[int, Fault | bytes]
    ) -> None:
        async for frame in _frames(reader):
            (correlation,) = _SIZE.unpack_from(frame)
            fault = marked.pop(correlation, None)
            if isinstance(fault, bytes):
                back.write(_SIZE.pack(_SIZE.size + len(fault)) + _SIZE.pack(correlation) + fault)
                continue
            if fault is not None:
                fault.answered.set()
                if fault.deed == "lose answer":
                    await asyncio.sleep(fault.seconds)
                    return  # the broker has done it, and nobody hears of it
            await self.passable.wait()
            back.write(_SIZE.pack(len(frame)) + frame)
            await back.drain()


async def _at_most(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _transaction(frame: bytes) -> str:
    """The transactional id, the first field of a request that ends or begins; empty where there is none."""
    api, version, _ = _REQUEST.unpack_from(frame)
    (client,) = _TEXT.unpack_from(frame, _REQUEST.size)
    at = _REQUEST.size + _TEXT.size + max(0, client)
    if version < _COMPACT_FROM[api]:
        (size,) = _TEXT.unpack_from(frame, at)
        at += _TEXT.size
    else:
        size, at = frame[at + 1] - 1, at + 2  # shorter than 127
    return frame[at : at + max(0, size)].decode()


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
