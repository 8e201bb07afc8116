"""Services that the tests here run on Kafka: one that packs orders, and three whose step takes long."""

import asyncio
import os
import time
from collections import Counter
from pathlib import Path

from farandole import Event, Service, Settings

begun = Counter[str]()
"""How often `wait` has begun in this process, by key."""


class OrderPlaced(Event, type="order.placed", key="customer"):
    customer: str
    number: int


class OrderPacked(Event, type="order.packed", key="customer", final=True):
    customer: str
    number: int


packing = Service("packing", accepts=[OrderPlaced])


@packing.step
async def pack(order: OrderPlaced) -> OrderPacked:
    return OrderPacked(customer=order.customer, number=order.number)


class WorkGiven(Event, type="work.given", key="key"):
    key: str
    seconds: float


class DoneOnLoop(Event, type="done.loop", key="key", final=True):
    key: str
    began: float


class DoneInThread(Event, type="done.thread", key="key", final=True):
    key: str
    began: float


class DoneInProcess(Event, type="done.process", key="key", final=True):
    key: str
    began: float


waiting = Service("waiting", accepts=[WorkGiven])


@waiting.step
async def wait(work: WorkGiven) -> DoneOnLoop:
    began = time.time()
    begun[work.key] += 1
    await asyncio.sleep(work.seconds)
    return DoneOnLoop(key=work.key, began=began)


sleeping = Service("sleeping", accepts=[WorkGiven])


@sleeping.step
def sleep(work: WorkGiven) -> DoneInThread:
    began = time.time()
    time.sleep(work.seconds)
    return DoneInThread(key=work.key, began=began)


holding = Service("holding", accepts=[WorkGiven])


@holding.step(runs="process")
def hold(work: WorkGiven) -> DoneInProcess:
    """Keeps the interpreter to itself, as a library may that never lets go of its lock."""
    began = time.time()
    while time.time() - began < work.seconds:
        sum(range(10_000))
    return DoneInProcess(key=work.key, began=began)


class MarkingSettings(Settings, env_prefix="MARKING_"):
    folder: Path


marking = Service("marking", accepts=[WorkGiven])


@marking.step
def mark(work: WorkGiven, settings: MarkingSettings) -> DoneInThread:
    """A file for each attempt tells from outside which process began it, and when."""
    began = time.time()
    (settings.folder / f"{work.key}-{os.getpid()}").touch()
    time.sleep(work.seconds)
    return DoneInThread(key=work.key, began=began)
