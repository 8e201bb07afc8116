"""Waiting: who is woken by what, that partitions take turns, and what chance decides about it."""

import asyncio

import pytest

from farandole.engines.memory.bells import Bells
from farandole.engines.memory.chance import Chance
from farandole.engines.memory.cluster import Cluster
from farandole.engines.memory.log import MemoryLog
from farandole.log.ports import Interest
from farandole.log.record import NewRecord, TopicSpec
from libs.farandole.tests.unit.engines.virtual import on_virtual_time


def test_a_bell_wakes_those_who_wait_for_it_and_nobody_else() -> None:
    """Each waiting call ends at its own key, or when its time is up; nothing stays behind of any."""

    async def test(_: Cluster) -> None:
        bells, loop = Bells(Chance(None)), asyncio.get_running_loop()
        ended: dict[str, float] = {}

        async def wait(name: str, *keys: str, timeout: float | None = None) -> None:
            await bells.wait(keys, timeout)
            ended[name] = loop.time()

        waits = [wait("a", "x"), wait("b", "y", "x"), wait("c", "z", timeout=3), wait("d", "y", "y")]
        tasks = [asyncio.ensure_future(each) for each in [*waits, wait("e", "never")]]
        await asyncio.sleep(1)
        bells.ring(["x", "nobody"])
        await asyncio.sleep(1)
        bells.ring(["y"])
        await asyncio.sleep(2)
        tasks[-1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert {name: round(at, 3) for name, at in ended.items()} == {"a": 1, "b": 1, "d": 2, "c": 3}
        assert bells._waiting == {}

    on_virtual_time(test)


def order_of_waking(seed: int | None) -> list[int]:
    """In which order eight who wait for one bell go on."""

    async def test(_: Cluster) -> list[int]:
        bells, woken = Bells(Chance(seed)), list[int]()

        async def wait(n: int) -> None:
            await bells.wait(("x",), None)
            woken.append(n)

        tasks = [asyncio.ensure_future(wait(n)) for n in range(8)]
        await asyncio.sleep(1)
        bells.ring(["x"])
        await asyncio.gather(*tasks)
        return woken

    return on_virtual_time(test)


def test_the_seed_decides_who_wakes_first() -> None:
    """Without a seed first come, first served; with one an order of its own, always the same."""
    assert order_of_waking(None) == list(range(8))
    orders = [order_of_waking(seed) for seed in range(5)]
    assert orders == [order_of_waking(seed) for seed in range(5)]
    assert len({tuple(order) for order in orders}) > 1


def test_the_seed_decides_how_much_a_poll_gives() -> None:
    """Without a seed as much as asked for; with one any number up to it, small ones often."""
    assert {Chance(None).batch(100) for _ in range(20)} == {100}
    chance = Chance(1)
    sizes = [chance.batch(100) for _ in range(300)]
    assert min(sizes) == 1
    assert 50 < max(sizes) <= 100
    assert sum(size <= 4 for size in sizes) > 100


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_partitions_and_topics_take_turns(seed: int | None) -> None:
    """A partition that always has more does not keep the others waiting, neither a member nor a reader."""

    async def test(cluster: Cluster) -> None:
        log = MemoryLog(cluster)
        await log.ensure([TopicSpec("a", 3), TopicSpec("inbox", 3)])
        subscription = await log.subscribe(Interest("g/s", "a", inbox="inbox"))
        reader = await log.reader(["a", "inbox"])
        for topic, number in (("a", 1), ("a", 2), ("inbox", 0), ("inbox", 2)):
            await log.append([NewRecord(topic, b"rare", partition=number)])
        rare: set[tuple[str, int]] = set()
        read: set[tuple[str, int]] = set()
        for _ in range(40):
            await log.append([NewRecord("a", b"often", partition=0)] * 20)
            polled = (await subscription.poll(limit=10, timeout=0)).records
            rare |= {(record.topic, record.partition) for record in polled if record.value == b"rare"}
            found = await reader.poll(limit=10)
            read |= {(record.topic, record.partition) for record in found if record.value == b"rare"}
        assert len(rare) == len(read) == 4

    on_virtual_time(test, seed=seed)


def test_closed_parts_of_a_handle_are_forgotten() -> None:
    """A handle that opens readers for ever, each closed in time, does not grow."""

    async def test(cluster: Cluster) -> int:
        log = MemoryLog(cluster)
        await log.ensure([TopicSpec("a")])
        for _ in range(50):
            await (await log.reader(["a"])).close()
            await (await log.subscribe(Interest("g/s", "a"))).close()
        return len(log._parts)

    assert on_virtual_time(test) <= 1
