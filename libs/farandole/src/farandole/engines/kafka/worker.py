"""Blocking calls of the client, made one after the other on a thread of their own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Worker:
    """One thread that makes calls in the order in which they were asked for."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"farandole-{name}")

    async def do(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make the call there. Cancelled, it is made all the same: no transaction is left half done."""
        return await asyncio.shield(asyncio.wrap_future(self._pool.submit(partial(call, *args, **kwargs))))

    def end(self) -> None:
        """No further call; those under way end by themselves."""
        self._pool.shutdown(wait=False)
