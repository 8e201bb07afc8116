"""One open handle: what its subscriptions and readers share, and where the writer's news reaches the event loop."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, NamedTuple, Protocol, TypeVar

import apsw

from farandole.engines.sqlite import registry
from farandole.engines.sqlite.catalog import Catalog
from farandole.engines.sqlite.clock import lease_now
from farandole.engines.sqlite.compose import Composer
from farandole.engines.sqlite.database import is_final, patiently, scalar
from farandole.engines.sqlite.pulse import Pulse
from farandole.engines.sqlite.requests import CommitRequest, OpRequest, Request, Txn
from farandole.engines.sqlite.transaction import Answer
from farandole.engines.sqlite.wake import Bell, News, Post
from farandole.engines.sqlite.watch import Noted, Watch
from farandole.engines.sqlite.writer import Writer, Written
from farandole.events.errors import FarandoleError, LogUnavailable

T = TypeVar("T")

TICK = 1.0
"""Seconds between two looks at whether anything was written: wake-ups may be lost."""


class Watcher(Protocol):
    """A subscription or reader that waits for records of some topics."""

    bell: Bell

    @property
    def topics(self) -> Collection[str]:
        """The topics whose commits it wants to be woken by."""
        ...

    def leases_changed(self, *, expelled: bool) -> None:
        """Leases of this handle came or went; `expelled`: it was taken for dead and is in no group any more."""
        ...


class Tools(NamedTuple):
    """What a handle is made of beside its writer."""

    db: apsw.Connection  # for reading, on the event loop
    catalog: Catalog
    composer: Composer
    pulse: Pulse
    post: Post
    watch: Watch
    noted: Noted


class Handle:
    """All but the methods that tell of the writer are for the event loop."""

    def __init__(self, tools: Tools) -> None:
        self.db, self.catalog, self.composer = tools.db, tools.catalog, tools.composer
        self._tools = tools
        self._loop = asyncio.get_running_loop()
        self._watchers: dict[Watcher, None] = {}
        self._writer: Writer | None = None
        self._ended: LogUnavailable | None = None
        self._closing = False
        self._version = -1
        self._timer: asyncio.TimerHandle | None = None

    def start(self, writer: Writer) -> None:
        """Begin to work."""
        self._writer = writer
        self._tools.post.listen(self._woken)
        writer.start()
        self._tick()

    def check(self) -> None:
        """Raise LogUnavailable where nothing can be asked of the log any more."""
        if self._ended is not None:
            raise LogUnavailable(str(self._ended)) from self._ended
        if self._closing:
            raise LogUnavailable("this handle of the log is closed; open another")

    def future(self) -> "asyncio.Future[Any]":
        """A future for a request."""
        return self._loop.create_future()

    async def ask(self, request: Request) -> Any:
        """What the writer answers."""
        self.check()
        return await self._submit(request)

    async def run(self, apply: Callable[[Txn], T]) -> T:
        """What `apply` gives within a write transaction. It raises only before it has written something."""
        answer: T = await self.ask(OpRequest(self.future(), apply))
        return answer

    async def read(self, look: Callable[[], T]) -> T:
        """What `look` reads; it is called at once. Raises LogUnavailable."""
        self.check()
        try:
            return await patiently(look)
        except LogUnavailable as error:
            if isinstance(error.__cause__, apsw.Error):
                self._failed(error.__cause__)
            raise

    async def watch(self, watcher: Watcher, then: Callable[[Txn, int], T]) -> T:
        """Have a watcher woken from now on; `then` gets this handle's number, within the same transaction."""
        self._watchers[watcher] = None
        topics = self._topics()

        def apply(txn: Txn) -> T:
            number = self._tools.pulse.enroll(txn)
            registry.listen(txn.db, number, topics)
            txn.effects.registry = True
            return then(txn, number)

        return await self.run(apply)

    async def unwatch(self, watcher: Watcher, then: Callable[[Txn], None]) -> None:
        """Wake it no more; `then` happens in the same transaction. Nothing happens where the log has ended."""
        if self._watchers.pop(watcher, self) is self or self._ended is not None or self._closing:
            return
        topics = self._topics()

        def apply(txn: Txn) -> None:
            number = self._tools.pulse.handle
            if number is not None:
                registry.listen(txn.db, number, topics)
                txn.effects.registry = True
            then(txn)

        await self.run(apply)

    async def close(self) -> None:
        """Give back everything and end the threads; idempotent."""
        if self._closing:
            return
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        watchers, self._watchers = self._watchers, {}
        for watcher in watchers:
            watcher.bell.ring()
        with suppress(LogUnavailable):
            if self._ended is None and self._tools.pulse.handle is not None:
                await self._submit(OpRequest(self.future(), self._tools.pulse.withdraw))
        self.db.close()  # before the writer's connection: the last to close puts the WAL away
        if self._writer is not None:
            await asyncio.to_thread(self._writer.stop)
        self._tools.post.close()

    # The writer's thread calls these two.

    def written(self, done: Written) -> None:
        """A transaction is durable, or was refused as a whole."""
        self._tell(self._written, done)

    def died(self, error: LogUnavailable, pending: list[Request]) -> None:
        """Nothing more will be written."""
        self._tell(self._died, error, pending)

    def _tell(self, what: Callable[..., None], *about: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits for an answer
            self._loop.call_soon_threadsafe(what, *about)

    def _written(self, done: Written) -> None:
        for request, answer in done.answers:
            _answer(request, answer)
        for watcher in self._watchers:
            if done.leases or done.expelled:
                watcher.leases_changed(expelled=done.expelled)
            if not done.topics.isdisjoint(watcher.topics):
                watcher.bell.ring()
        if done.expelled:
            self._tools.noted("this process was taken for dead and lost its leases")

    def _died(self, error: LogUnavailable, pending: list[Request]) -> None:
        self._ended = error
        for request in (*pending, *(self._writer.drain() if self._writer else ())):
            _answer(request, error)
        for watcher in self._watchers:
            watcher.bell.ring()
        self._tools.noted("the log cannot be written any more", why=str(error))

    def _submit(self, request: Request) -> "asyncio.Future[Any]":
        if self._writer is None:
            raise LogUnavailable("this handle of the log was not started")
        self._writer.submit(request)
        return request.future

    def _woken(self, news: News) -> None:
        topics = news.topics
        for watcher in self._watchers:
            if news.leases:
                watcher.leases_changed(expelled=False)
            if topics is None or not topics.isdisjoint(watcher.topics):
                watcher.bell.ring()

    def _tick(self) -> None:
        waiting = self._tools.watch.check()
        self._timer = self._loop.call_later(TICK / 4 if waiting else TICK, self._tick)
        self._tools.pulse.progress = lease_now()
        if self._watchers and self._ended is None:
            self._look_for_news()

    def _look_for_news(self) -> None:
        try:
            version: int = scalar(self.db, "PRAGMA data_version")
        except apsw.Error as error:
            self._failed(error)
            return
        if version != self._version:
            self._version = version
            self._woken(News(None, leases=True))

    def _failed(self, error: apsw.Error) -> None:
        """What cannot even be read must not be written either."""
        if is_final(error) and self._writer is not None:
            self._writer.fail(error)

    def _topics(self) -> frozenset[str]:
        return frozenset(topic for watcher in self._watchers for topic in watcher.topics)


def _answer(request: Request, answer: Answer) -> None:
    if isinstance(request, CommitRequest) and isinstance(answer, LogUnavailable):
        request.turn.told += 1
    if request.future.done():  # who asked was cancelled
        return
    if isinstance(answer, FarandoleError):
        request.future.set_exception(answer)
    else:
        request.future.set_result(answer)
