"""Work with the store that is not broken off: half a statement may leave an SQLite database locked for a while."""

import asyncio
from collections.abc import Coroutine


async def to_its_end(work: Coroutine[None, None, None]) -> None:
    """Do it; cancelled, only after its end. Raises what it raises."""
    doing = asyncio.ensure_future(work)
    doing.add_done_callback(lambda done: done.cancelled() or done.exception())  # heard of, also when cancelled
    try:
        await asyncio.shield(doing)
    finally:
        await asyncio.wait([doing])
