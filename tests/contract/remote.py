"""A log in another process: `RemoteLog`, its subscriptions and readers; what they mean stands at the ports.

A call's arguments are pickled and queued at the first step of its coroutine, in the order of the calls, and begin
over there in that order. Who cancels a call waits for its end there; one that had ended by then returns.
"""

import asyncio
import socket
import time
from collections.abc import Mapping, Sequence
from itertools import count
from typing import cast

from farandole.events.errors import LogUnavailable
from farandole.log.ports import Capabilities, Clock, Committed, Interest, Lease, Polled, Unit
from farandole.log.record import NewRecord, Place, Record, Span, TopicPartition, TopicSpec
from tests.contract.remote_wire import LOG, PROCESS, Answer, Call, Cancel, Cancelled, Frames, Raised

GONE = "the process of this handle is gone"


class Channel:
    """Calls to one process, any number at once; when it is gone each of them raises LogUnavailable."""

    def __init__(self) -> None:
        self._frames = Frames(self._received, self._lost)
        self._gone = asyncio.Event()
        self._numbers = count()
        self._pending: dict[int, asyncio.Future[Answer]] = {}
        self._late: list[Exception] = []

    @classmethod
    async def over(cls, own: socket.socket) -> "Channel":
        """The channel over a connected socket, which it closes."""
        channel = cls()
        await asyncio.get_running_loop().create_unix_connection(lambda: channel._frames, sock=own)
        return channel

    @property
    def is_gone(self) -> bool:
        """Whether the process, or the connection to it, ended."""
        return self._gone.is_set()

    async def call(self, target: int, method: str, *args: object, **options: object) -> object:
        """What the call returns over there; raises what it raises."""
        return value_of(await self.answer(target, method, *args, **options))

    async def answer(self, target: int, method: str, *args: object, **options: object) -> Answer:
        """How the call ended over there. Raises only what an earlier call without an answer raised there."""
        if self._late:
            raise self._late.pop(0)
        number = next(self._numbers)
        if self.is_gone:
            return _gone(number)
        self._frames.send(Call(number, target, method, args, options, awaited=True))
        self._pending[number] = asyncio.get_running_loop().create_future()
        try:
            return await self._ended(number, self._pending[number])
        finally:
            del self._pending[number]

    def tell(self, target: int, method: str, *args: object) -> None:
        """Make a synchronous call that gives nothing; what it raises over there the next call raises here."""
        self._frames.send(Call(next(self._numbers), target, method, args, {}, awaited=False))

    async def ended(self) -> None:
        """Wait until the connection is lost, as it is when the process ends; all its answers have come then."""
        await self._gone.wait()

    async def _ended(self, number: int, answer: "asyncio.Future[Answer]") -> Answer:
        """Wait for it; a cancellation is handed on, and decided over there."""
        cancelled = False
        while not answer.done():
            try:
                await asyncio.wait([answer])
            except asyncio.CancelledError:
                cancelled = True
                self._frames.send(Cancel(number))
        if cancelled and self.is_gone:
            raise asyncio.CancelledError
        return answer.result()

    def _received(self, frame: object) -> None:
        assert isinstance(frame, Answer)
        if frame.number in self._pending:
            self._pending[frame.number].set_result(frame)
        elif isinstance(frame.ended, Raised):
            self._late.append(_error(frame.ended))

    def _lost(self) -> None:
        self._gone.set()
        for number, answer in self._pending.items():
            if not answer.done():
                answer.set_result(_gone(number))


class RemoteLog:
    """Implements `Log`; made by `open`."""

    def __init__(self, channel: Channel, capabilities: Capabilities) -> None:
        self.channel = channel
        self.capabilities = capabilities
        self.clock: Clock = _Clock()

    @classmethod
    async def open(cls, channel: Channel, url: str) -> "RemoteLog":
        """Open the log of the URL over there; raises what `open_log` raises."""
        return cls(channel, cast(Capabilities, await channel.call(PROCESS, "open", url)))

    async def plant(self, point: str) -> None:
        """Make its process die at the next pass of a crash point."""
        await self.channel.call(PROCESS, "plant", point)

    async def ensure(self, topics: Sequence[TopicSpec]) -> None:
        """See `Log.ensure`."""
        await self.channel.call(LOG, "ensure", topics)

    async def topics(self) -> list[TopicSpec]:
        """See `Log.topics`."""
        return cast(list[TopicSpec], await self.channel.call(LOG, "topics"))

    async def append(
        self, records: Sequence[NewRecord], *, identities: Sequence[bytes | None] | None = None
    ) -> list[Place]:
        """See `Log.append`."""
        return cast(list[Place], await self.channel.call(LOG, "append", records, identities=identities))

    async def subscribe(self, interest: Interest) -> "RemoteSubscription":
        """See `Log.subscribe`."""
        return RemoteSubscription(self.channel, cast(int, await self.channel.call(LOG, "subscribe", interest)))

    async def reader(self, topics: Sequence[str], start: Mapping[TopicPartition, int] | None = None) -> "RemoteReader":
        """See `Log.reader`."""
        answer = await self.channel.answer(LOG, "reader", topics, start)
        return RemoteReader(self.channel, cast(int, value_of(answer)), answer.positions or {})

    async def fetch(self, topic: str, partition: int, offset: int) -> Record | None:
        """See `Log.fetch`."""
        return cast(Record | None, await self.channel.call(LOG, "fetch", topic, partition, offset))

    async def spans(self, topics: Sequence[str]) -> dict[TopicPartition, Span]:
        """See `Log.spans`."""
        return cast(dict[TopicPartition, Span], await self.channel.call(LOG, "spans", topics))

    async def offset_at(self, topic: str, partition: int, time: float) -> int:
        """See `Log.offset_at`."""
        return cast(int, await self.channel.call(LOG, "offset_at", topic, partition, time))

    async def prune(self, before: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """See `Log.prune`."""
        return cast(dict[TopicPartition, int], await self.channel.call(LOG, "prune", before))

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        """See `Log.committed`."""
        return cast(dict[TopicPartition, int], await self.channel.call(LOG, "committed", group))

    async def leases(self) -> dict[str, list[tuple[Lease, str]]]:
        """See `Log.leases`."""
        return cast(dict[str, list[tuple[Lease, str]]], await self.channel.call(LOG, "leases"))

    async def close(self) -> None:
        """See `Log.close`; the process stays. Returns when it is gone."""
        await _close(self.channel, LOG)


class RemoteSubscription:
    """Implements `Subscription`."""

    def __init__(self, channel: Channel, number: int) -> None:
        self._channel, self._number = channel, number

    async def poll(self, *, limit: int, timeout: float) -> Polled:
        """See `Subscription.poll`."""
        return cast(Polled, await self._channel.call(self._number, "poll", limit=limit, timeout=timeout))

    async def restore(self, lease: Lease) -> list[Record]:
        """See `Subscription.restore`."""
        return cast(list[Record], await self._channel.call(self._number, "restore", lease))

    async def commit(self, units: Sequence[Unit]) -> Committed:
        """See `Subscription.commit`."""
        return cast(Committed, await self._channel.call(self._number, "commit", units))

    def pause(self, lease: Lease, topic: str) -> None:
        """See `Subscription.pause`."""
        self._channel.tell(self._number, "pause", lease, topic)

    def resume(self, lease: Lease, topic: str) -> None:
        """See `Subscription.resume`."""
        self._channel.tell(self._number, "resume", lease, topic)

    async def release(self, lease: Lease) -> None:
        """See `Subscription.release`."""
        await self._channel.call(self._number, "release", lease)

    async def close(self) -> None:
        """See `Subscription.close`. Returns when the process is gone."""
        await _close(self._channel, self._number)


class RemoteReader:
    """Implements `Reader`."""

    def __init__(self, channel: Channel, number: int, positions: dict[TopicPartition, int]) -> None:
        self._channel, self._number, self._positions = channel, number, positions

    async def poll(self, *, limit: int = 1000, timeout: float = 0.0) -> list[Record]:
        """See `Reader.poll`."""
        answer = await self._channel.answer(self._number, "poll", limit=limit, timeout=timeout)
        if answer.positions is not None:
            self._positions = answer.positions
        return cast(list[Record], value_of(answer))

    def positions(self) -> dict[TopicPartition, int]:
        """See `Reader.positions`; as they were when its last call ended."""
        return dict(self._positions)

    async def close(self) -> None:
        """See `Reader.close`. Returns when the process is gone."""
        await _close(self._channel, self._number)


class _Clock:
    """Implements `Clock`: processes of one machine have one clock."""

    def now(self) -> float:
        """See `Clock.now`."""
        return time.time()


def value_of(answer: Answer) -> object:
    """The value with which a call ended; raises where it did not end with one."""
    if isinstance(answer.ended, Cancelled):
        raise asyncio.CancelledError
    if isinstance(answer.ended, Raised):
        raise _error(answer.ended)
    return answer.ended.value


async def _close(channel: Channel, target: int) -> None:
    try:
        await channel.call(target, "close")
    except LogUnavailable:
        if not channel.is_gone:
            raise


def _error(ended: Raised) -> Exception:
    if ended.story:
        ended.error.add_note(f"In the process of the handle:\n{ended.story}")
    return ended.error


def _gone(number: int) -> Answer:
    return Answer(number, Raised(LogUnavailable(GONE), ""))
