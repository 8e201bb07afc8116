"""Whoever closes a reader is told of no cancellation but one of its own."""

import asyncio
from typing import Any, cast

import pytest

from farandole.engines.kafka.reader import stop


class Client:
    """Remembers that it was closed."""

    closed = False

    async def close(self) -> None:
        """As aiokafka's."""
        self.closed = True


class Consumer:
    """aiokafka's, whose fetch waits for its next try when it is stopped."""

    def __init__(self) -> None:
        self._client = Client()

    async def stop(self) -> None:
        """Cancels its own task and waits for it, as aiokafka 0.14 does."""
        pending = asyncio.create_task(asyncio.sleep(60))
        await asyncio.sleep(0)
        pending.cancel()
        await pending


async def test_a_cancellation_of_the_client_s_own_stays_inside() -> None:
    """And what was left to close is closed."""
    consumer = Consumer()
    await stop(cast("Any", consumer))
    assert consumer._client.closed


async def test_ours_comes_out() -> None:
    """Whoever cancels the closing is heard."""
    consumer = Consumer()
    closing = asyncio.create_task(stop(cast("Any", consumer)))
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
