"""A chain whose middle is upgraded twice: by a further optional field, then by a version that breaks with the first."""

import asyncio
import random
from typing import Literal

from farandole import Event, Service

SHORTEST, LONGEST = 0.01, 0.05  # seconds that a step takes


class OrderTaken(Event, type="order.taken", key="key"):
    """Published from outside."""

    key: str
    number: int


class OrderChecked(Event, type="order.checked", key="key"):
    key: str
    number: int


class OrderPriced(Event, type="order.priced", key="key"):
    """As its publisher wrote it first, and as its first consumer sees it still."""

    key: str
    number: int
    euros: int


class OrderPricedMore(Event, type="order.priced", key="key"):
    """The same version, revised: one field more, which may be left out."""

    key: str
    number: int
    euros: int
    coupon: str | None = None


class OrderPricedTwo(Event, type="order.priced", key="key", version=2):
    """Breaks with the first: the price stands in another field, in another unit."""

    key: str
    number: int
    cents: int


class OrderPricedBroken(Event, type="order.priced", key="key"):
    """The same, but without a version of its own."""

    key: str
    number: int
    cents: int


class OrderDone(Event, type="order.done", key="key", final=True):
    """The end; `of`: the version of the event that it came from."""

    key: str
    number: int
    cents: int
    of: Literal["v1", "v2"]


taking = Service("taking", version="1.0", accepts=[OrderTaken])
pricing = Service("pricing", version="1.0")
pricing_more = Service("pricing", version="1.1")
pricing_two = Service("pricing", version="2.0")
pricing_broken = Service("pricing", version="1.2")
shipping = Service("shipping", version="1.0")
shipping_both = Service("shipping", version="2.0")


@taking.step
async def take(order: OrderTaken) -> OrderChecked:
    await _work()
    return OrderChecked(key=order.key, number=order.number)


@pricing.step
async def price(order: OrderChecked) -> OrderPriced:
    await _work()
    return OrderPriced(key=order.key, number=order.number, euros=order.number)


@pricing_more.step(name="price")
async def price_more(order: OrderChecked) -> OrderPricedMore:
    await _work()
    return OrderPricedMore(key=order.key, number=order.number, euros=order.number, coupon="spring")


@pricing_two.step(name="price")
async def price_two(order: OrderChecked) -> OrderPricedTwo:
    await _work()
    return OrderPricedTwo(key=order.key, number=order.number, cents=100 * order.number)


@pricing_broken.step(name="price")
async def price_broken(order: OrderChecked) -> OrderPricedBroken:
    return OrderPricedBroken(key=order.key, number=order.number, cents=100 * order.number)


@shipping.step
async def ship(order: OrderPriced) -> OrderDone:
    await _work()
    return OrderDone(key=order.key, number=order.number, cents=100 * order.euros, of="v1")


@shipping_both.step(name="ship")
async def ship_both(order: OrderPriced | OrderPricedTwo) -> OrderDone:
    await _work()
    if isinstance(order, OrderPricedTwo):
        return OrderDone(key=order.key, number=order.number, cents=order.cents, of="v2")
    return OrderDone(key=order.key, number=order.number, cents=100 * order.euros, of="v1")


async def _work() -> None:
    await asyncio.sleep(random.uniform(SHORTEST, LONGEST))
