"""Worker processes: warm, apart from each other, and gone when they should be."""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from farandole.events.errors import StepError, TimedOut, WorkerDied
from farandole.runtime.guarded import Guard
from farandole.runtime.pool import ProcessPool, RemoteError

SOON = 5.0

SERVER = '''
"""What the workers of these tests run: each payload is a JSON list of a method's name and its arguments."""

import ctypes, json, os, signal, subprocess, sys, threading, time

print("imported", flush=True)


class BadScene(ValueError):
    def __init__(self, text):
        super().__init__(text)
        self.scene, self.pixels, self._hidden, self.level = "S2A", object(), 1, 3
        self.huge = 10**5000


class Untellable(Exception):
    def __init__(self):
        self.lock = threading.Lock()

    def __str__(self):
        raise RuntimeError("no text")


class Server:
    def __init__(self, args):
        self.args = args

    def __call__(self, payload):
        name, *args = json.loads(payload)
        return json.dumps(getattr(self, name)(*args)).encode()

    def close(self):
        print("closed", *self.args)

    def who(self, delay=0):
        time.sleep(delay)
        return [os.getpid(), self.args, os.environ.get("ADDED"), os.getcwd()]

    def hold_gil(self, seconds):
        ctypes.PyDLL(None).sleep(seconds)

    def start(self, *argv):
        return subprocess.Popen(argv).pid

    def start_and_hold(self, *argv):
        self.start(*argv)
        self.hold_gil(60)

    def signal_self(self, number):
        os.kill(os.getpid(), number)
        time.sleep(0.05)
        return os.getpid()

    def leave(self, code):
        os._exit(code)

    def sys_exit(self, code):
        sys.exit(code)

    def bad_scene(self, text):
        try:
            {}["cause"]
        except KeyError as error:
            raise BadScene(text) from error

    def untellable(self):
        raise Untellable

    def library_error(self, name, *args):
        from farandole.events import errors

        raise getattr(errors, name)(*args)

    def deep(self):
        return self.deep()

    def not_json(self):
        return object()

    def tell(self, text):
        print(text)


def fail(args):
    raise LookupError("no such service")


def leave(args):
    os._exit(9)


def hang(args):
    time.sleep(60)


def echo(args):
    return lambda payload: payload


def text(args):
    return lambda payload: "no bytes"
'''

_BEFORE: set[psutil.Process] = set()
MakePool = Callable[..., AbstractAsyncContextManager[ProcessPool]]


@pytest.fixture
def pools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakePool:
    """Makes pools whose workers can import the server above because this process could."""
    _BEFORE.clear()
    _BEFORE.update(psutil.Process().children())
    (tmp_path / "pool_test_server.py").write_text(SERVER)
    monkeypatch.syspath_prepend(tmp_path)

    @asynccontextmanager
    async def make(factory: str = "Server", size: int = 1, **options: Any) -> AsyncIterator[ProcessPool]:
        pool = ProcessPool(f"pool_test_server:{factory}", size=size, **options)
        try:
            yield pool
        finally:
            await pool.close(grace=SOON)

    return make


async def ask(pool: ProcessPool, name: str, *args: object, timeout: float | None = 20.0) -> Any:
    return json.loads(await pool.call(json.dumps([name, *args]).encode(), timeout))


async def pid_of(pool: ProcessPool) -> int:
    pid = (await ask(pool, "who"))[0]
    assert isinstance(pid, int)
    return pid


async def failure(call: Awaitable[object]) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        await call
    return caught.value


def children() -> list[psutil.Process]:
    """The processes that the pools of this test have started."""
    return [child for child in psutil.Process().children() if child not in _BEFORE]


async def until(true: Callable[[], bool], within: float = SOON) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


# ------------------------------------------------------------------------------------------------- calls


async def test_workers_start_when_they_are_needed_and_stay(
    pools: MakePool, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """None before the first call, never more than the size, each imports once; what they print goes to stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    async with pools(size=2, args=["a", "b c"], env={"ADDED": "1"}) as pool:
        assert children() == []
        answers = [await ask(pool, "who") for _ in range(5)]
        assert len({pid for pid, *_ in answers}) == 1
        assert answers[0][1:] == [["a", "b c"], "1", str(tmp_path)]
        many = await asyncio.gather(*(ask(pool, "who", 0.02) for _ in range(20)))
        assert len({pid for pid, *_ in many}) == 2
        assert answers[0][0] in {pid for pid, *_ in many}
        assert await ask(pool, "tell", "at once") is None
        out, err = capfd.readouterr()
        assert "at once\n" in err
    later = capfd.readouterr()
    assert out + later.out == ""
    err += later.err
    assert err.count("imported") == 2
    assert err.count("closed a b c") == 2


async def test_payloads_come_back_as_they_are(pools: MakePool) -> None:
    """Empty, binary, and larger than any buffer."""
    async with pools("echo") as pool:
        for payload in (b"", b"\0\n\xff", os.urandom(5_000_000)):
            assert await pool.call(payload) == payload


async def test_an_exception_comes_back_as_text_and_the_worker_stays(pools: MakePool) -> None:
    """With the names of its classes, its plain attributes and its traceback; nothing is unpickled."""
    async with pools() as pool:
        pid = await pid_of(pool)
        error = await failure(ask(pool, "bad_scene", "all zero"))
        assert error.kind == "pool_test_server.BadScene"
        assert error.kinds[1:3] == ("builtins.ValueError", "builtins.Exception")
        assert str(error) == "pool_test_server.BadScene: all zero"
        assert error.detail == {"scene": "S2A", "level": 3}
        assert "KeyError: 'cause'" in error.traceback
        assert "in bad_scene" in error.traceback
        assert await pid_of(pool) == pid


async def test_the_librarys_errors_keep_what_the_runtime_needs(pools: MakePool) -> None:
    """When to come back, and how a program ended."""
    async with pools() as pool:
        error = await failure(ask(pool, "library_error", "RetryAfter", "30s", "busy"))
        assert error.kind == "farandole.events.errors.RetryAfter"
        assert (error.detail["delay"], error.detail["why"]) == ("30s", "busy")
        error = await failure(ask(pool, "library_error", "ProgramFailed", "gdalwarp", 3, "no space"))
        assert error.detail == {"program": "gdalwarp", "code": 3, "tail": "no space"}


async def test_no_exception_is_too_odd_to_come_back(pools: MakePool) -> None:
    """Without a text, endless, an exit, an interrupt, an answer that is none; the worker stays."""
    async with pools() as pool:
        pid = await pid_of(pool)
        assert "its text raised RuntimeError" in (await failure(ask(pool, "untellable"))).text
        assert (await failure(ask(pool, "deep"))).kind == "builtins.RecursionError"
        assert (await failure(ask(pool, "sys_exit", 3))).kind == "builtins.SystemExit"
        assert (await failure(ask(pool, "not_json"))).kind == "builtins.TypeError"
        long = await failure(ask(pool, "bad_scene", "x" * 1_000_000))
        assert len(long.text) < 10_000
        assert len(long.traceback) < 40_000
        assert await pid_of(pool) == pid
    async with pools("text") as pool:
        assert "a reply is bytes, not str" in (await failure(pool.call(b""))).text


@pytest.mark.parametrize(
    ("factory", "kind"),
    [("fail", "builtins.LookupError"), ("nothing", "builtins.AttributeError"), ("", "builtins.AttributeError")],
)
async def test_a_factory_that_fails_fails_each_call(pools: MakePool, factory: str, kind: str) -> None:
    """With its own exception, not by hanging; no process stays."""
    async with pools(factory, size=2) as pool:
        for _ in range(2):
            assert (await failure(pool.call(b"x", 20))).kind == kind
        [guard] = children()
        await until(lambda: guard.children(recursive=True) == [])


async def test_a_module_that_is_not_there_is_named(pools: MakePool) -> None:
    """As the import would name it here."""
    pool = ProcessPool("no_such_module_here:make", size=1)
    error = await failure(pool.call(b"x"))
    assert error.kind == "builtins.ModuleNotFoundError"
    assert "no_such_module_here" in error.text
    await pool.close()


async def test_a_factory_that_never_ends_is_a_dead_worker(pools: MakePool) -> None:
    """After the time that starting may take; the call's own timeout counts from when it is ready."""
    async with pools("hang", start_timeout=0.5) as pool:
        with pytest.raises(WorkerDied, match=r"more than 0\.5 s to load pool_test_server:hang"):
            await pool.call(b"x", 60)
    async with pools("leave") as pool:
        with pytest.raises(WorkerDied, match="ended with exit code 9"):
            await pool.call(b"x", 60)


async def test_the_timeout_counts_neither_the_start_nor_the_queue(pools: MakePool) -> None:
    """Only the time that the worker has the payload."""
    async with pools() as pool:
        calls = [ask(pool, "who", 0.4, timeout=1.2) for _ in range(4)]
        assert len(await asyncio.gather(*calls)) == 4


# ------------------------------------------------------------------------------------------------- kills


async def test_a_late_call_loses_its_worker_and_no_other(pools: MakePool) -> None:
    """Though C code holds the interpreter's lock, which no signal handler could end."""
    async with pools(size=2) as pool:
        before = {pid for pid, *_ in await asyncio.gather(ask(pool, "who", 0.1), ask(pool, "who", 0.1))}
        other = asyncio.create_task(ask(pool, "who", 1.0))
        begun = time.monotonic()
        with pytest.raises(TimedOut, match=r"passed its timeout of 0\.3 s"):
            await ask(pool, "hold_gil", 60, timeout=0.3)
        assert time.monotonic() - begun < SOON
        kept = (await other)[0]
        assert kept in before
        [killed] = before - {kept}
        assert not psutil.pid_exists(killed)
        after = {pid for pid, *_ in await asyncio.gather(ask(pool, "who", 0.1), ask(pool, "who", 0.1))}
        assert kept in after
        assert killed not in after


async def test_what_a_worker_started_ends_with_it(pools: MakePool) -> None:
    """In whatever session; when it is late, and when the pool closes."""
    async with pools() as pool:
        with pytest.raises(TimedOut):
            await ask(pool, "start_and_hold", "setsid", "sleep", "98761", timeout=0.4)
        assert not [p for p in psutil.process_iter(["cmdline"]) if "98761" in (p.info["cmdline"] or ())]
        left = await ask(pool, "start", "setsid", "sleep", "98762")
        assert psutil.pid_exists(left)
    assert not psutil.pid_exists(left)


async def test_a_worker_that_dies_is_told_and_replaced(pools: MakePool) -> None:
    """How it ended; the next call has a new one."""
    async with pools() as pool:
        first = await pid_of(pool)
        with pytest.raises(WorkerDied, match=f"worker process {first} was ended by SIGKILL"):
            await ask(pool, "signal_self", signal.SIGKILL)
        with pytest.raises(WorkerDied, match="was ended by SIGSEGV"):
            await ask(pool, "signal_self", signal.SIGSEGV)
        with pytest.raises(WorkerDied, match="ended with exit code 7"):
            await ask(pool, "leave", 7)
        assert await pid_of(pool) != first


async def test_a_worker_that_died_idle_costs_no_call(pools: MakePool) -> None:
    """Nobody's attempt is lost when nobody's attempt ran."""
    async with pools() as pool:
        first = await pid_of(pool)
        os.kill(first, signal.SIGKILL)
        await asyncio.sleep(0.2)
        assert await pid_of(pool) != first


async def test_signals_of_a_terminal_or_a_supervisor_do_not_end_workers(pools: MakePool) -> None:
    """The service decides; and what a worker starts has the default signals again."""
    async with pools() as pool:
        first = await pid_of(pool)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            assert await ask(pool, "signal_self", number) == first
        assert os.getsid(first) != os.getsid(0)
        started = psutil.Process(await ask(pool, "start", "sleep", "98763"))
        started.terminate()
        await until(lambda: gone(started.pid), within=1)


async def test_a_cancelled_call_has_its_worker_killed(pools: MakePool) -> None:
    """Before the cancellation is through; its place is free again."""
    async with pools() as pool:
        first = await pid_of(pool)
        call = asyncio.create_task(ask(pool, "hold_gil", 60))
        await asyncio.sleep(0.2)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert not psutil.pid_exists(first)
        assert await pid_of(pool) != first


async def test_a_call_that_is_cancelled_while_its_worker_starts_leaves_no_trace(pools: MakePool) -> None:
    """At whatever step of the start; the next call has its place."""
    async with pools() as pool:
        for steps in range(8):
            call = asyncio.create_task(ask(pool, "who"))
            for _ in range(steps):
                await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        [guard] = children()
        await until(lambda: guard.children() == [])
        assert await pid_of(pool)


async def test_a_worker_that_cannot_be_started_fails_the_call_alone(
    pools: MakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No descriptor is lost, and the pool serves on when it can."""

    def refused(*_: object) -> None:
        raise StepError("too many processes")

    async with pools() as pool:
        with monkeypatch.context() as patched:
            patched.setattr(Guard, "start", refused)
            before = psutil.Process().num_fds()
            with pytest.raises(StepError, match="too many processes"):
                await ask(pool, "who")
            assert psutil.Process().num_fds() == before
        assert await pid_of(pool)


async def test_a_call_that_is_cancelled_in_the_queue_leaves_no_trace(pools: MakePool) -> None:
    """It had no worker; the one that runs is not disturbed."""
    async with pools() as pool:
        first = await pid_of(pool)
        running = asyncio.create_task(ask(pool, "who", 0.4))
        queued = asyncio.create_task(ask(pool, "who"))
        await asyncio.sleep(0.1)
        queued.cancel()
        assert (await running)[0] == first
        assert await pid_of(pool) == first


async def test_no_worker_outlives_its_killed_service(pools: MakePool, tmp_path: Path) -> None:
    """SIGKILL while a worker is inside C code and has started a program of its own."""
    code = (
        "import asyncio, json; from farandole.runtime.pool import ProcessPool\n"
        "async def main():\n"
        "    pool = ProcessPool('pool_test_server:Server', size=2)\n"
        "    print(json.loads(await pool.call(b'[\"who\"]'))[0], flush=True)\n"
        '    await pool.call(b\'["start_and_hold", "setsid", "sleep", "98764"]\')\n'
        "asyncio.run(main())"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    service = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, env=env)
    assert service.stdout is not None
    worker = psutil.Process(int(await service.stdout.readline()))
    await until(lambda: any("98764" in child.cmdline() for child in worker.children()))
    [sleeping] = worker.children()
    service.kill()
    await service.wait()
    await until(lambda: gone(worker.pid) and gone(sleeping.pid))


# ------------------------------------------------------------------------------------------------- close


async def test_close_waits_for_what_runs_and_lets_workers_close(
    pools: MakePool, capfd: pytest.CaptureFixture[str]
) -> None:
    """Within the grace; further calls are refused, queued ones too."""
    async with pools(args=["x"]) as pool:
        await pid_of(pool)
        running = asyncio.create_task(ask(pool, "who", 0.5))
        queued = asyncio.create_task(ask(pool, "who"))
        await asyncio.sleep(0.1)
        await pool.close(grace=10)
        assert (await running)[1] == ["x"]
        for late in (queued, asyncio.create_task(ask(pool, "who"))):
            with pytest.raises(StepError, match="closed"):
                await late
    assert "closed x" in capfd.readouterr().err
    assert children() == []


async def test_close_kills_what_runs_longer_than_the_grace(pools: MakePool) -> None:
    """The call ends as one whose worker died."""
    async with pools() as pool:
        first = await pid_of(pool)
        running = asyncio.create_task(ask(pool, "hold_gil", 60, timeout=None))
        await asyncio.sleep(0.2)
        begun = time.monotonic()
        await pool.close(grace=0.3)
        assert time.monotonic() - begun < SOON
        with pytest.raises(WorkerDied):
            await running
    assert not psutil.pid_exists(first)
    assert children() == []


async def test_pools_may_share_a_guard(pools: MakePool) -> None:
    """One that is closed leaves the guard to the others."""
    guard = Guard()
    async with pools(guard=guard) as one:
        first = await pid_of(one)
        async with pools(guard=guard) as other:
            await pid_of(other)
        assert await pid_of(one) == first
        assert len(children()) == 1
    guard.close()


async def test_a_call_that_meets_the_close_does_not_run(pools: MakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither while its worker starts, nor afterwards; and no worker is left or started for it."""
    guard = Guard()
    async with pools(guard=guard) as pool:
        call = asyncio.create_task(ask(pool, "who"))
        await asyncio.sleep(0)
        await pool.close()
        with pytest.raises(StepError, match="closed"):
            await call
        [process] = children()
        await until(lambda: process.children() == [])
        monkeypatch.setattr(guard, "start", None)
        with pytest.raises(StepError, match="closed"):
            await ask(pool, "who")
    guard.close()


async def test_no_descriptor_is_left_over(pools: MakePool) -> None:
    """After timeouts, deaths and failures of the factory."""

    async def use() -> None:
        async with pools(size=2) as pool:
            await pid_of(pool)
            with pytest.raises(TimedOut):
                await ask(pool, "who", 60, timeout=0.05)
            with pytest.raises(WorkerDied):
                await ask(pool, "leave", 1)
        async with pools("fail") as pool:
            await failure(pool.call(b"x"))

    await use()
    before, threads = psutil.Process().num_fds(), threading.active_count()
    await use()
    assert psutil.Process().num_fds() == before
    assert threading.active_count() == threads
