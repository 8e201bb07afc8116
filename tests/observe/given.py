"""A log, a store and a picture of what a history amounts to, for tests that ask."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from farandole.engines.open import open_log
from farandole.log.ports import Log
from farandole.log.record import NewRecord
from farandole_observe.projector.replica import Replica
from farandole_observe.questions.asking import Picture, picture
from farandole_observe.store.canonical import canonical
from farandole_observe.store.opening import MEMORY, Store, open_store
from libs.farandole.tests.unit.fold.choreographies import EARTH_OBSERVATION
from libs.farandole.tests.unit.fold.dance import Dance
from libs.farandole.tests.unit.fold.model import Owed
from tests.observe import written


@asynccontextmanager
async def opened(url: str = MEMORY) -> AsyncIterator[tuple[Log, Store]]:
    """A log of its own, and a store."""
    log, store = await open_log("memory:"), await open_store(url)
    try:
        yield log, store
    finally:
        await store.close()
        await log.close()


@asynccontextmanager
async def asked(dance: Dance, now: float | None = None) -> AsyncIterator[Picture]:
    """A picture of the tables after all of a history was folded."""
    records = written.shuffled(written.lines_of(dance), 1)
    async with opened() as (log, store):
        await fill(log, store, records)
        async with picture(store, log.clock.now() if now is None else now) as seen:
            yield seen


def full_group(timeout: float | None = None) -> tuple[Dance, str, Owed]:
    """A scene of which every tile is held and no mosaic came; the workflow, and the delivery that is owed.

    `timeout`: seconds, as the mosaic's step declares it.
    """
    services = list(EARTH_OBSERVATION)
    (number,) = (n for n, manifest in enumerate(services) if manifest.service == "mosaic")
    merge = services[number].steps[0].model_copy(update={"timeout": timeout})
    services[number] = services[number].model_copy(update={"steps": [merge]})
    dance = Dance(*services, members=3)
    workflow = dance.publish("scene.received", "s1", key="k1")
    while not any(delivery.group is not None for delivery in dance.queue):
        dance.settle(1)
    (owed,) = dance.queue
    dance.queue = []
    return dance, workflow, owed


async def fill(log: Log, store: Store, records: Sequence[NewRecord]) -> None:
    """Write these, and fold them."""
    await written.make_topics(log, records)
    await log.append(records)
    await Replica(log, store, "one").catch_up()


async def write_log(dance: Dance, url: str) -> None:
    """All of a history, into the log at the URL."""
    records = written.shuffled(written.lines_of(dance), 1)
    log = await open_log(url)
    try:
        await written.make_topics(log, records)
        await log.append(records)
    finally:
        await log.close()


async def hash_of(store: Store) -> str:
    """The hash of all tables."""
    async with store.reading() as connection:
        return await canonical(connection)


async def hash_folded(log: Log) -> str:
    """The hash of tables that were folded from the very beginning."""
    store = await open_store(MEMORY)
    replica = Replica(log, store, "again")
    await replica.catch_up()
    await replica.close()
    found = await hash_of(store)
    await store.close()
    return found
