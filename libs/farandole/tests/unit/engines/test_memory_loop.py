"""The virtual loop: time moves by timers only, and a loop that can never move says so."""

import asyncio
import time

import pytest

from farandole.engines.memory.cluster import Cluster
from farandole.engines.memory.log import MemoryLog
from farandole.engines.memory.loop import EPOCH, Deadlock, VirtualClock, VirtualLoop
from farandole.events.errors import FarandoleError, LogError
from farandole.log.record import TopicSpec


def run(main: object, loop: VirtualLoop | None = None) -> object:
    with asyncio.Runner(loop_factory=lambda: loop or VirtualLoop()) as runner:
        return runner.run(main)  # type: ignore[arg-type]  # a coroutine, whatever it gives


def test_a_year_passes_at_once() -> None:
    """Sleeping moves the virtual time by just so much, and no real time."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert loop.time() == 0.0
        await asyncio.sleep(366 * 86_400)
        assert loop.time() == pytest.approx(366 * 86_400, abs=1e-5)

    started = time.monotonic()
    run(main())
    assert time.monotonic() - started < 5


def test_timers_fire_in_the_order_of_their_times() -> None:
    """Those of the same time in some fixed order, the others by time, however they were made."""
    seen: list[tuple[float, int]] = []

    async def main() -> None:
        async def wait(n: int) -> None:
            await asyncio.sleep(n % 7)
            seen.append((asyncio.get_running_loop().time(), n % 7))

        await asyncio.gather(*(wait(n) for n in range(50)))

    run(main())
    assert [n for _, n in seen] == sorted(n % 7 for n in range(50))
    assert all(at == pytest.approx(n, abs=1e-5) for at, n in seen)


@pytest.mark.parametrize("start", [0.0, 1.0, 22.0, 86_400.0, 4e7, 1e9])
def test_waiting_for_the_rest_of_ones_time_comes_to_an_end(start: float) -> None:
    """However little is left of a deadline, and however late it is: a loop that waits for the rest gets there."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(start)
        deadline, rounds = loop.time() + 0.05, 0
        loop.call_at(deadline - 1e-13, lambda: None)  # asyncio fires what is due 1e-9 s later along with it
        while (left := deadline - loop.time()) > 0:
            loop.call_soon(lambda: None)  # something else is ready while the timer is looked at
            await asyncio.sleep(left)
            rounds += 1
            assert rounds < 10
        assert loop.time() == pytest.approx(deadline, abs=1e-5)
        done = asyncio.Event()
        loop.call_later(0, done.set)
        await done.wait()

    run(main())


def test_a_deadlock_names_who_waits_where() -> None:
    """Nothing ready and no timer: Deadlock instead of hanging, with the innermost place of each task."""

    async def inner() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        await inner()

    with pytest.raises(Deadlock, match=r"at 0\.000 s .*Task-\d+ at .*test_memory_loop\.py:\d+"):
        run(main())


def test_a_deadlock_is_found_after_the_last_timer() -> None:
    """As long as a timer is pending things may still move; then it is a deadlock, at that time."""

    async def main() -> None:
        task = asyncio.ensure_future(asyncio.sleep(5))
        await asyncio.get_running_loop().create_future()
        await task

    with pytest.raises(Deadlock, match=r"at 5\.000 s"):
        run(main())


def test_threads_are_refused() -> None:
    """A thread would be left behind by virtual time."""

    async def main() -> None:
        await asyncio.to_thread(print)

    with pytest.raises(FarandoleError, match="inline"):
        run(main())


def test_the_virtual_clock_follows_the_loop() -> None:
    """Wall time starts at the epoch that is fixed, and goes on with the loop, running or not."""
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    assert clock.now() == EPOCH == 1_767_225_600
    run(asyncio.sleep(90), loop)
    assert clock.now() == pytest.approx(EPOCH + 90, abs=1e-5)


async def test_a_log_works_on_an_ordinary_loop() -> None:
    """A cluster without a virtual clock tells the machine's time."""
    log = MemoryLog(Cluster())
    assert abs(log.clock.now() - time.time()) < 1
    await log.ensure([TopicSpec("a")])
    assert [spec.name for spec in await log.topics()] == ["a"]
    await log.close()


def test_a_log_refuses_a_second_loop_while_the_first_lives() -> None:
    """Whoever waits on another loop would never be woken; after its end a new loop may go on."""
    cluster = Cluster()
    log = MemoryLog(cluster)
    first = asyncio.new_event_loop()
    first.run_until_complete(log.ensure([TopicSpec("a")]))
    with pytest.raises(LogError, match="event loop"):
        asyncio.run(log.topics())
    first.close()
    assert [spec.name for spec in asyncio.run(log.topics())] == ["a"]
