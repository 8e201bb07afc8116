"""Blocking calls of the client, made one after the other on a thread of their own."""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_Call = tuple[Callable[[], Any], Future[Any]]


class Worker:
    """One thread that makes calls in the order in which they were asked for.

    A daemon: a call that the client never comes back from must not keep the process from ending.
    """

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._left = False
        self._thread = threading.Thread(target=self._run, name=f"farandole-{name}", daemon=True)
        self._thread.start()

    async def do(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make the call there. Cancelled, it is made all the same: no transaction is left half done."""
        answer: Future[T] = Future()
        answer.set_running_or_notify_cancel()  # from here on nothing cancels it
        self._calls.put((partial(call, *args, **kwargs), answer))
        return await asyncio.shield(asyncio.wrap_future(answer))

    def end(self) -> None:
        """No further call; those under way end by themselves."""
        self._calls.put(None)

    def leave(self) -> None:
        """The call under way does not come back; none that waits is made any more, even if it does."""
        self._left = True
        self.end()

    def _run(self) -> None:
        while (asked := self._calls.get()) is not None and not self._left:
            call, answer = asked
            try:
                answer.set_result(call())
            except BaseException as raised:  # noqa: BLE001 - it is raised where the call was asked for
                answer.set_exception(raised)
