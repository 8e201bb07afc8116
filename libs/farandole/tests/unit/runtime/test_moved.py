"""A version that would leave a step's state behind is refused; what it took before is not handled again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from itertools import product
from pathlib import Path

import pytest

from farandole.client import AsyncClient
from farandole.engines.sqlite.log import SqliteLog
from farandole.events.errors import DeclarationError
from farandole.events.event import Event
from farandole.events.manifest import Manifest
from farandole.log.manifests import read_manifests
from farandole.runtime.declare import AnyStep, Service
from farandole.runtime.host import Host, Options
from farandole.runtime.manifests import make_manifest
from farandole.runtime.moved import refuse_moved
from farandole.testing.history import read_history


class Landed(Event, type="moved.landed", key="k"):
    k: str


class Came(Event, type="moved.came", key="k"):
    k: str
    lane: str = ""


class CameTwo(Event, type="moved.came", version=2, key="k"):
    k: str


class Went(Event, type="moved.went", key="k"):
    k: str


def _service(version: str) -> Service:
    return Service("dock", version=version, accepts=[CameTwo, Went])


quay = Service("quay", accepts=[Landed])


single, either, versions, laned, unordered, gathering, joining = (_service(str(n)) for n in range(1, 8))


@quay.step
async def unload(landed: Landed) -> Came:
    return Came(k=landed.k)


@single.step(name="ship")
async def ship(came: Came) -> None:
    """A leaf."""


@either.step(name="ship")
async def ship_either(event: Came | Went) -> None:
    """A leaf."""


@versions.step(name="ship")
async def ship_versions(came: Came | CameTwo) -> None:
    """A leaf."""


@laned.step(name="ship", order_by="lane")
async def ship_laned(came: Came) -> None:
    """A leaf."""


@unordered.step(name="ship", order_by=None)
async def ship_unordered(came: Came) -> None:
    """A leaf."""


@gathering.step(name="ship")
async def ship_group(came: list[Came]) -> None:
    """A leaf."""


@joining.step(name="ship")
async def ship_both(came: Came, went: Went) -> None:
    """A leaf."""


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteLog]:
    """A handle as a process has one: what was subscribed by it ends with it."""
    log = await SqliteLog.open(path / "log.db")
    try:
        yield log
    finally:
        await log.close()


async def serve(service: Service, path: Path, *landed: str) -> None:
    """Run it, beside who publishes to it, until what landed is complete."""
    stop = asyncio.Event()
    async with opened(path) as log, AsyncClient(log) as client, asyncio.timeout(60), asyncio.TaskGroup() as group:
        for each in (quay, service):
            started = asyncio.Event()
            group.create_task(Host(each, log, options=Options(partitions=2)).run(stop, started))
            await started.wait()  # one that refuses to start ends this, too
        for key in landed:
            await client.wait((await client.publish(Landed(k=key), source="test")).workflow)
        stop.set()


async def shipped(path: Path) -> list[str]:
    """Of each outcome of the step that is upgraded, which event it was of."""
    async with opened(path) as log:
        facts = [told.fact for told in (await read_history(log)).told]
    return [fact.event.id for fact in facts if fact.service == "dock" and fact.event is not None]


async def declared(path: Path) -> set[str]:
    """The versions of that service, as the log tells of them."""
    async with opened(path) as log:
        return {manifest.version for manifest in await read_manifests(log) if manifest.service == "dock"}


@pytest.mark.parametrize("after", [either, laned, joining], ids=["either", "laned", "joining"])
async def test_a_version_that_reads_elsewhere_does_not_start_and_the_old_one_goes_on(
    tmp_path: Path, after: Service
) -> None:
    """The error names step and remedy; nothing is handled twice, and nothing of it is declared."""
    await serve(single, tmp_path, "a", "b")
    with pytest.RaisesGroup(pytest.RaisesExc(DeclarationError, match=r'step dock/ship: .*name="ship-2", start="now"')):
        await serve(after, tmp_path)
    await serve(single, tmp_path, "c")
    done = await shipped(tmp_path)
    assert len(done) == len({*done}) == 3
    assert await declared(tmp_path) == {single.version}


async def test_a_version_that_reads_where_it_read_goes_on(tmp_path: Path) -> None:
    """A further version of the type, and no order, lie in the same topic."""
    for service in (single, versions, unordered):
        await serve(service, tmp_path, service.version)
    done = await shipped(tmp_path)
    assert len(done) == len({*done}) == 3


def the(service: Service) -> AnyStep:
    (step,) = service.steps.values()
    return step


def told(service: Service, *, older: bool = False) -> Manifest:
    """As it declared itself; an older library did not say whether it reads its inbox."""
    manifest = make_manifest(service, service.steps.values(), [], 1.0)
    update = {"steps": [step.model_copy(update={"inbox": None}) for step in manifest.steps]} if older else {}
    return manifest.model_copy(update=update)


@pytest.mark.parametrize("older", [False, True], ids=["told", "older"])
def test_each_change_is_refused_that_moves_the_state_or_what_rows_mean_and_no_other(older: bool) -> None:
    """Both ways; what an older library declared is judged by its types and its order."""
    places = {
        "topic": (single, versions, unordered),
        "inbox": (either, laned),
        "group": (gathering,),
        "join": (joining,),
    }
    every = [(place, service) for place, services in places.items() for service in services]
    for (there, before), (here, after) in product(every, every):
        with nullcontext() if there == here else pytest.raises(DeclarationError, match="dock/ship: it "):
            refuse_moved([the(after)], [told(before, older=older)])


def test_what_a_name_was_last_declared_as_counts_and_other_names_do_not() -> None:
    """Whatever came before that, and however the versions are listed."""
    late = told(either).model_copy(update={"at": 2.0})
    refuse_moved([the(laned)], [late, told(single)])
    with pytest.raises(DeclarationError):
        refuse_moved([the(single)], [late, told(single)])
    refuse_moved([the(single)], [])
