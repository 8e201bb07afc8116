"""Runs services within a test, on the log of a URL."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from farandole.engines.open import open_log
from farandole.log.reading import to_the_end
from farandole.log.record import Record
from farandole.runtime.declare import Service
from farandole.runtime.host import Host, Options


@asynccontextmanager
async def serving(
    url: str, services: Mapping[str, Service], *, partitions: int = 2, grace: float = 30.0
) -> AsyncIterator[None]:
    """Until the block ends; `services` by their target (`module:attribute`)."""
    log = await open_log(url)
    stop = asyncio.Event()
    begun = [asyncio.Event() for _ in services]
    options = Options(partitions=partitions, grace=grace)
    hosts = [Host(service, log, target=target, options=options) for target, service in services.items()]
    tasks = [asyncio.create_task(host.run(stop, event)) for host, event in zip(hosts, begun, strict=True)]
    try:
        for event in begun:
            waited = asyncio.create_task(event.wait())
            await asyncio.wait([waited, *tasks], return_when=asyncio.FIRST_COMPLETED)
            waited.cancel()
            for task in tasks:
                if task.done():
                    task.result()
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)
        await log.close()


async def records_of(url: str, topic: str) -> list[Record]:
    """What a topic holds by now, by partition and offset."""
    log = await open_log(url)
    try:
        reader = await log.reader([topic])
        found = [record async for records in to_the_end(log, reader, [topic]) for record in records]
        await reader.close()
        return sorted(found, key=lambda record: record.place)
    finally:
        await log.close()


async def awaited(url: str, topic: str, count: int, *, within: float) -> list[Record]:
    """What a topic holds once there are so many records. Raises TimeoutError."""
    log = await open_log(url)
    try:
        reader = await log.reader([topic])
        found: list[Record] = []
        async with asyncio.timeout(within):
            while len(found) < count:
                found += await reader.poll(timeout=1.0)
        return sorted(found, key=lambda record: record.place)
    finally:
        await log.close()
