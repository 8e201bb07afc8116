"""Run deliveries: on the event loop, in threads, or in worker processes; one kind a step.

A runner pulls, it is never handed a task per delivery; the next puller is woken only while work remains. Ends are told
in batches, and none waits for an attempt that is still under way, however long that one takes.
"""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from farandole.events.errors import TimedOut
from farandole.log.hooks import UNHEARD, Hooks
from farandole.runtime.context import Tools
from farandole.runtime.delivery import Delivery
from farandole.runtime.given import Given, read_given
from farandole.runtime.invoke import arguments_of, call, call_async, context
from farandole.runtime.plan import Plan
from farandole.runtime.pool import ProcessPool, RemoteError
from farandole.runtime.remote import pack_call, revive, unpack_given
from farandole.runtime.told import attempt_of

FLUSH_AFTER = 0.002  # seconds for which the ends of threads are gathered before they are told


class End(NamedTuple):
    """How an attempt ended; neither `given` nor `error`: it was not begun, for its partition is going."""

    delivery: Delivery
    given: Given | None
    error: BaseException | None
    started: float
    finished: float


Ended = Callable[[list[End]], None]


class Runner(Protocol):
    """Pulls deliveries and reports their ends to the callback, on the event loop."""

    def start(self) -> None:
        """Begin to pull; called on the event loop."""
        ...

    def put(self, delivery: Delivery) -> None:
        """One more delivery can run."""
        ...

    async def stop(self) -> None:
        """End at once; what still runs is abandoned (a thread) or cancelled."""
        ...


class Bench(NamedTuple):
    """What every runner of a step needs."""

    plan: Plan
    tools: Tools
    provided: Mapping[str, Any]
    hooks: Hooks | None
    ended: Ended


def _running(bench: Bench, delivery: Delivery) -> AbstractContextManager[None]:
    """Around the user's code."""
    return UNHEARD if bench.hooks is None else bench.hooks.running(attempt_of(bench.plan, delivery))


def run_here(bench: Bench, delivery: Delivery) -> End:
    """Run a `def` step in the calling thread."""
    plan, step = bench.plan, bench.plan.step
    if delivery.partition.gone or delivery.partition.draining:
        return End(delivery, None, None, 0.0, 0.0)
    started = plan.clock.now()
    ctx = context(step, delivery, bench.tools) if step.signature.context is not None else None
    given: Given | None = None
    error: BaseException | None = None
    try:
        kwargs = arguments_of(step, delivery, ctx, bench.provided)
        with _running(bench, delivery):
            given = call(step, kwargs)
    except (Exception, SystemExit) as raised:  # noqa: BLE001 - a step may raise anything; it ends as a retry or a dead letter
        error = raised
    finally:
        if ctx is not None:
            ctx.clean()
    return End(delivery, given, error, started, plan.clock.now())


class LoopRunner:
    """`async def` steps, as many at once as the step's concurrency; `def` steps inline, for rehearsals."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._queue: deque[Delivery] = deque()
        self._idle: deque[asyncio.Future[None]] = deque()
        self._tasks: list[asyncio.Task[None]] = []
        step = bench.plan.step
        self._limit = step.policy.concurrency
        plain = step.signature.context is None and step.policy.timeout is None
        self._run = self._plainly if plain else self._fully
        self._inline = step.policy.runs != "async"
        self._told = False  # a puller was told, and has not begun yet
        self._ends: list[End] = []
        self._telling = False  # they will be told as soon as every puller has given way

    def start(self) -> None:
        """Pullers are made when they are first needed."""

    def put(self, delivery: Delivery) -> None:
        """Queue it; wake one puller, or make one more while there may be."""
        self._queue.append(delivery)
        self._wake()

    def _wake(self) -> None:
        if self._told:  # it wakes the next itself, where something is left
            return
        while self._idle:
            waiting = self._idle.popleft()
            if not waiting.done():
                self._told = True
                waiting.set_result(None)
                return
        if len(self._tasks) < self._limit:
            name = f"{self._bench.plan.producer}#{len(self._tasks)}"
            self._tasks.append(asyncio.get_running_loop().create_task(self._pull(), name=name))

    async def _pull(self) -> None:
        while True:
            while not self._queue:
                waiting = asyncio.get_running_loop().create_future()
                self._idle.append(waiting)
                await waiting
                self._told = False
            delivery = self._queue.popleft()
            if self._inline:
                self._over(run_here(self._bench, delivery))
            elif delivery.partition.gone or delivery.partition.draining:
                self._over(End(delivery, None, None, 0.0, 0.0))
            else:
                if self._queue and not self._told:
                    self._wake()
                self._over(await self._run(delivery))

    def _over(self, end: End) -> None:
        self._ends.append(end)
        if len(self._ends) >= 64 or not self._queue:
            self._tell()
        elif not self._telling:  # what the puller takes next may run for hours
            self._telling = True
            asyncio.get_running_loop().call_soon(self._tell_now)

    def _tell_now(self) -> None:
        self._telling = False
        self._tell()

    def _tell(self) -> None:
        if self._ends:
            ends, self._ends = self._ends, []
            self._bench.ended(ends)

    async def _plainly(self, delivery: Delivery) -> End:
        """The same without context and timeout, which would cost more than many a step."""
        bench = self._bench
        step, now = bench.plan.step, bench.plan.clock.now
        started = now()
        try:
            kwargs = arguments_of(step, delivery, None, bench.provided)
            with _running(bench, delivery):
                given = read_given(step.signature, await step.fn(**kwargs))
        except Exception as raised:  # noqa: BLE001 - a step may raise anything; it ends as a retry or a dead letter
            return End(delivery, None, raised, started, now())
        return tuple.__new__(End, (delivery, given, None, started, now()))

    async def _fully(self, delivery: Delivery) -> End:
        bench, plan, step = self._bench, self._bench.plan, self._bench.plan.step
        started = plan.clock.now()
        ctx = context(step, delivery, bench.tools) if step.signature.context is not None else None
        given: Given | None = None
        error: BaseException | None = None
        limit = step.policy.timeout
        timer = asyncio.timeout(limit) if limit is not None else None
        try:
            kwargs = arguments_of(step, delivery, ctx, bench.provided)
            with _running(bench, delivery):
                if timer is None:
                    given = await call_async(step, kwargs)
                else:
                    async with timer:
                        given = await call_async(step, kwargs)
        except Exception as raised:  # noqa: BLE001 - a step may raise anything; it ends as a retry or a dead letter
            error = raised
            if timer is not None and timer.expired() and isinstance(raised, TimeoutError):
                error = TimedOut(f"passed its timeout of {limit:g} s")
        finally:
            if ctx is not None:
                ctx.clean()
        return End(delivery, given, error, started, plan.clock.now())

    async def stop(self) -> None:
        """Cancel the pullers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()


class ThreadRunner:
    """`def` steps in threads of their own; ends are told to the loop in batches."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._queue: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ends: deque[End] = deque()
        self._telling = False  # the loop will ask for them

    def start(self) -> None:
        """Start the threads."""
        self._loop = asyncio.get_running_loop()
        for number in range(self._bench.plan.step.policy.concurrency):
            name = f"{self._bench.plan.producer}#{number}"
            thread = threading.Thread(target=self._pull, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def put(self, delivery: Delivery) -> None:
        """Queue it."""
        self._queue.put(delivery)

    def _pull(self) -> None:
        while (delivery := self._queue.get()) is not None:
            self._ends.append(run_here(self._bench, delivery))
            if self._queue.empty():
                self._on_loop(self._tell)
            elif not self._telling:  # what a thread takes next may run for hours
                self._telling = True
                self._on_loop(self._tell_soon)

    def _on_loop(self, call: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)

    def _tell_soon(self) -> None:
        asyncio.get_running_loop().call_later(FLUSH_AFTER, self._tell)

    def _tell(self) -> None:
        self._telling = False  # before they are taken: whoever adds one meanwhile has it asked for again
        ends = []
        while self._ends:
            ends.append(self._ends.popleft())
        if ends:
            self._bench.ended(ends)

    async def stop(self) -> None:
        """Threads that are idle end; one that runs a step ends with the process (a thread can't be killed)."""
        for _ in self._threads:
            self._queue.put(None)
        await asyncio.sleep(0)


class ProcessRunner:
    """`def` steps in worker processes, which a timeout really kills."""

    def __init__(self, bench: Bench, pool: ProcessPool) -> None:
        self._bench, self._pool = bench, pool
        self._queue: asyncio.Queue[Delivery] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """One puller a worker process."""
        for _ in range(self._bench.plan.step.policy.concurrency):
            self._tasks.append(asyncio.get_running_loop().create_task(self._pull()))

    def put(self, delivery: Delivery) -> None:
        """Queue it."""
        self._queue.put_nowait(delivery)

    async def _pull(self) -> None:
        while True:
            delivery = await self._queue.get()
            self._bench.ended([await self._attempt(delivery)])

    async def _attempt(self, delivery: Delivery) -> End:
        plan, step = self._bench.plan, self._bench.plan.step
        if delivery.partition.gone or delivery.partition.draining:
            return End(delivery, None, None, 0.0, 0.0)
        started = plan.clock.now()
        given: Given | None = None
        error: BaseException | None = None
        try:
            payload = pack_call(step.signature, delivery, context(step, delivery, self._bench.tools))
            given = unpack_given(await self._pool.call(payload, step.policy.timeout))
        except RemoteError as raised:
            error = revive(raised)
        except Exception as raised:  # noqa: BLE001 - whatever the worker met ends as a retry or a dead letter
            error = raised
        return End(delivery, given, error, started, plan.clock.now())

    async def stop(self) -> None:
        """Cancel the pullers and end the workers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pool.close(1.0)
