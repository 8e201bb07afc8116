"""Two services with every shape that a trace has to show: fan-out, fan-in, join, retry, absence, dead letter."""

import asyncio
import os
from pathlib import Path

from opentelemetry import propagate

from farandole import Context, Event, Retry, Service

BOX = Path(os.environ.get("BOX", "box"))
WORK = float(os.environ.get("WORK", "0"))  # seconds that packing an item takes


class OrderPlaced(Event, type="order.placed", key="order"):
    order: str
    items: int = 3


class ItemPicked(Event, type="item.picked", key="item"):
    order: str
    item: str


class ItemPacked(Event, type="item.packed", key="item"):
    order: str
    item: str


class Billed(Event, type="order.billed", key="order"):
    order: str
    inside: str = ""


class Packed(Event, type="order.packed", key="order"):
    order: str
    items: int
    inside: str = ""


class Shipped(Event, type="order.shipped", key="order", final=True):
    order: str


class NoBox(Exception):
    pass


class Busy(Exception):
    pass


def inside() -> str:
    """The `traceparent` that a step's own calls would carry."""
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers.get("traceparent", "")


picking = Service("picking", accepts=[OrderPlaced])
packing = Service("packing")


@picking.step
def pick(order: OrderPlaced) -> list[ItemPicked]:
    """A fan-out, of 1,500 items more keys than one fact holds."""
    return [ItemPicked(order=order.order, item=f"{order.order}.{n}") for n in range(order.items)]


@picking.step
async def bill(order: OrderPlaced) -> Billed:
    return Billed(order=order.order, inside=inside())


@packing.step(retry=Retry(attempts=3, delay="20ms", terminal=(NoBox,)))
async def pack(item: ItemPicked, ctx: Context) -> ItemPacked | None:
    """The second item of an order is busy at first; of an order `odd…` the first is absent, of `dead…` it dies."""
    await asyncio.sleep(WORK)
    if item.item.endswith(".1") and ctx.attempt < 2:
        raise Busy(f"busy with {item.item}: see http://user:canary@host/")
    if item.item.startswith("odd") and item.item.endswith(".0"):
        return None
    if item.item.startswith("dead") and item.item.endswith(".0") and not BOX.exists():  # noqa: ASYNC240
        raise NoBox("no box")
    return ItemPacked(order=item.order, item=item.item)


@packing.step(runs="process")
def gather(items: list[ItemPacked]) -> Packed:
    return Packed(order=items[0].order if items else "none", items=len(items), inside=inside())


@packing.step
async def ship(packed: Packed, billed: Billed) -> Shipped:
    return Shipped(order=packed.order)
