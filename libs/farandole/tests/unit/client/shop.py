"""A small choreography on the memory engine, at work on virtual time, for tests of the client."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from farandole import AsyncClient, Event, Retry, Service
from farandole.engines.memory.cluster import Cluster
from farandole.engines.memory.log import MemoryLog
from farandole.engines.memory.loop import VirtualClock, VirtualLoop
from farandole.runtime.host import Host, Options


class OrderPlaced(Event, type="order.placed", key="order"):
    order: str
    items: int = 1


class ItemPicked(Event, type="item.picked", key="order"):
    order: str


class OrderPacked(Event, type="order.packed", key="order", final=True):
    order: str
    items: int


class NoteTaken(Event, type="note.taken"):
    text: str


class NoBox(Exception):
    pass


@dataclass
class Shop:
    """Two services; `boxes` False: every packing is set aside. `gate`: packing waits until it is set."""

    boxes: bool = True
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def services(self) -> list[Service]:
        picking, packing = Service("picking", accepts=[OrderPlaced, NoteTaken]), Service("packing")

        @picking.step
        def pick(order: OrderPlaced) -> list[ItemPicked]:
            return [ItemPicked(order=order.order) for _ in range(order.items)]

        @packing.step(retry=Retry(attempts=1))
        async def pack(items: list[ItemPicked]) -> OrderPacked:
            await self.gate.wait()
            if not self.boxes:
                raise NoBox("no box is left")
            return OrderPacked(order=items[0].order if items else "none", items=len(items))

        return [picking, packing]


Scene = Callable[[AsyncClient, Shop], Awaitable[None]]


def play(scene: Scene, *, boxes: bool = True, only: int | None = None) -> None:
    """Run `scene` with a client while the services (`only` the first so many) are at work."""
    loop = VirtualLoop()
    try:
        loop.run_until_complete(_play(loop, scene, boxes, only))
    finally:
        loop.close()


async def _play(loop: VirtualLoop, scene: Scene, boxes: bool, only: int | None) -> None:
    cluster, shop = Cluster(clock=VirtualClock(loop)), Shop(boxes=boxes)
    shop.gate.set()
    stop, serving = asyncio.Event(), []
    for service in shop.services()[:only]:
        started = asyncio.Event()
        log = MemoryLog(cluster, name=service.name)
        host = Host(service, log, options=Options(inline=True, worker=service.name))
        serving.append(asyncio.ensure_future(host.run(stop, started)))
        await started.wait()
    log = MemoryLog(cluster, name="client")
    try:
        async with AsyncClient(log) as client:
            await scene(client, shop)
    finally:
        shop.gate.set()
        stop.set()
        await asyncio.gather(*serving)
        await log.close()
