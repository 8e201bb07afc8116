"""Handles in processes of their own keep the contract, and are really stopped, killed, and gone in the end."""

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psutil
import pytest

from farandole.engines.sqlite.faults import POINTS
from farandole.events import errors
from farandole.events.errors import ConfigError, FarandoleError, LogUnavailable, ProgramFailed, RetryAfter
from farandole.log.ports import Interest
from farandole.log.record import NewRecord, TopicSpec
from farandole.testing.contract import CASES
from farandole.testing.contract.look import count_of, numbered, values_of
from farandole.testing.contract.member import Member, together
from farandole.testing.contract.rig import Rig
from tests.contract.process_rig import ProcessRig
from tests.contract.remote import GONE
from tests.contract.remote_process import zygote
from tests.contract.remote_wire import LOG, raised

pytestmark = pytest.mark.slow

LEASE = 1.2
ROOT = Path(__file__).parents[2]
REPRESENTATIVE = [
    "order.polled_records_keep_their_order",
    "identity.an_append_of_a_crashed_handle_can_be_repeated",
    "groups.members_share_evenly",
    "takeover.a_killed_member_is_replaced",
    "takeover.a_closed_member_hands_over_at_once",
    "fencing.a_stopped_member_is_fenced",
    "fencing.a_fenced_member_learns_what_it_lost",
    "crash.a_crash_leaves_all_of_a_call_or_nothing",
    "crash.every_crash_point_kills",
    "crash.what_is_uncommitted_never_leaks",
    "reading.a_waiting_member_is_woken",
    "foreign.foreign_records_pass_untouched",
    "pausing.a_paused_topic_is_not_polled",
    "closing.closing_ends_what_is_waiting",
    "closing.a_cancelled_poll_loses_nothing",
]
ORPHANS = """
import asyncio, sys
from tests.contract.process_rig import ProcessRig
from tests.contract.remote_process import zygote

async def case(rig):
    logs = [await rig.open() for _ in range(3)]
    await rig.freeze(logs[0])
    print(zygote().pid, *(rig.process(log).pid for log in logs), flush=True)
    await asyncio.sleep(60)

ProcessRig(sys.argv[1], lease_seconds=1.2, crash_points=()).run(case)
"""


def rig_at(folder: Path) -> ProcessRig:
    return ProcessRig(f"sqlite:///{folder / 'log.db'}?lease={LEASE}", lease_seconds=LEASE, crash_points=POINTS)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[ProcessRig]:
    """A rig on a fresh file; whatever a test did with it, no process of its handles is left."""
    yield rig_at(tmp_path)
    until(lambda: forked() == [], "no process of a handle is left")


def forked() -> list[int]:
    """The processes that the zygote has now, those included that are not reaped yet."""
    return [child.pid for child in psutil.Process(zygote().pid).children()] if zygote().pid else []


def until(look: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
        time.sleep(0.02)


async def fails(call: Awaitable[object], error: type[Exception]) -> Exception:
    """The error that a call has to raise, of exactly this type."""
    with pytest.raises(error) as caught:
        await asyncio.wait_for(call, 20)
    assert type(caught.value) is error
    return caught.value


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_handles_in_processes_keep_the_contract(name: str, rig: ProcessRig) -> None:
    """A case of each kind that a process could break: order, freezing, killing, crashing, cancelling, any bytes."""
    rig.run(CASES[name])


def test_a_frozen_handle_does_nothing_until_it_is_thawed(rig: ProcessRig) -> None:
    """Its call waits and writes nothing while every thread of its process stands still, and then returns."""

    async def case(_: Rig) -> None:
        log, witness = await rig.open(), await rig.open()
        await log.ensure([TopicSpec("work")])
        await rig.freeze(log)
        assert states(rig.process(log).pid) == {psutil.STATUS_STOPPED}
        call = asyncio.ensure_future(log.append(numbered("work", 3)))
        await asyncio.sleep(0.5)
        assert not call.done()
        assert await count_of(witness, "work") == 0
        await rig.thaw(log)
        assert [place.offset for place in await asyncio.wait_for(call, 20)] == [0, 1, 2]
        assert await count_of(witness, "work") == 3

    rig.run(case)


def test_calls_of_a_killed_handle_say_that_its_process_is_gone(rig: ProcessRig) -> None:
    """Those under way, those of its subscriptions and readers, and later ones; closing it returns all the same."""

    async def case(_: Rig) -> None:
        log = await rig.open()
        await log.ensure([TopicSpec("work")])
        subscription, reader = await log.subscribe(Interest("group/step", "work")), await log.reader(["work"])
        poll = asyncio.ensure_future(reader.poll(timeout=60))
        await asyncio.sleep(0.1)
        await rig.kill(log)
        assert rig.process(log).is_gone
        for call in (poll, subscription.poll(limit=1, timeout=60), log.append(numbered("work", 1)), log.topics()):
            assert str(await fails(call, LogUnavailable)) == GONE
        for end in (subscription.close, reader.close, log.close, log.close):
            await asyncio.wait_for(end(), 5)
        await rig.kill(log)
        await rig.freeze(log)
        await rig.thaw(log)

    rig.run(case)


def test_calls_begin_in_the_order_in_which_they_are_made(rig: ProcessRig) -> None:
    """Many at once, of which none was awaited before the next: the log has them in the order of the calls."""

    async def case(_: Rig) -> None:
        log = await rig.open()
        await log.ensure([TopicSpec("work")])
        await asyncio.gather(*(log.append(numbered("work", 2, first=2 * n)) for n in range(50)))
        assert await values_of(log, "work") == [b"%d" % n for n in range(100)]

    rig.run(case)


def test_arguments_are_read_before_the_first_suspension(rig: ProcessRig) -> None:
    """What the caller appends to its list later is not in the call."""

    async def case(_: Rig) -> None:
        log = await rig.open()
        await log.ensure([TopicSpec("work")])
        records = numbered("work", 1)
        call = asyncio.ensure_future(log.append(records))
        await asyncio.sleep(0)
        records += numbered("work", 1, first=1)
        await call
        assert await values_of(log, "work") == [b"0"]

    rig.run(case)


def test_a_cancelled_call_ends_in_its_process(rig: ProcessRig) -> None:
    """A cancelled poll of a minute ends at once, there too: its subscription hands the next record to the next."""

    async def case(_: Rig) -> None:
        log = await rig.open()
        await log.ensure([TopicSpec("work")])
        member = await Member.join(log, Interest("group/step", "work"))
        await together(rig, [member], lambda: len(member.held) == 1, "the partition")
        poll = asyncio.ensure_future(member.subscription.poll(limit=1, timeout=60))
        await asyncio.sleep(0.1)
        started = time.monotonic()
        poll.cancel()
        with pytest.raises(asyncio.CancelledError):
            await poll
        await log.append(numbered("work", 1))
        assert len((await member.turn(timeout=20)).records) == 1
        assert time.monotonic() - started < 5

    rig.run(case)


def test_errors_keep_type_and_text(rig: ProcessRig, tmp_path: Path) -> None:
    """What a handle raises over there is what it raises here, with the traceback from there as a note."""

    async def case(_: Rig) -> None:
        log = await rig.open()
        await log.ensure([TopicSpec("work", 2)])
        error = await fails(log.ensure([TopicSpec("work", 3)]), ConfigError)
        assert "work" in str(error)
        assert "Traceback" not in str(error)
        assert any("Traceback" in note and str(error) in note for note in error.__notes__)
        await fails(log.channel.call(LOG, "no_such_method"), AttributeError)
        large = NewRecord("work", bytes(log.capabilities.record_limit + 1))
        assert "work" in str(await fails(log.append([large]), errors.RecordRefused))

    rig.run(case)
    wrong = ProcessRig("sqlite:///", lease_seconds=LEASE, crash_points=())
    with pytest.raises(ConfigError, match="three slashes"):
        wrong.run(CASES["order.polled_records_keep_their_order"])


def test_every_error_of_the_tree_survives_the_crossing() -> None:
    """Type, text and attributes; what is neither ours nor Python's own arrives as a RuntimeError that tells it."""
    special: dict[str, FarandoleError] = {
        "ProgramFailed": ProgramFailed("gdalwarp", -9, "end of stderr"),
        "RetryAfter": RetryAfter("30s", "busy"),
    }
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, FarandoleError)]
    assert len(classes) > 20
    for wanted in classes:
        error = special.get(wanted.__name__) or wanted("a text", 7)
        found = raised(error).error
        assert (type(found), str(found), vars(found)) == (wanted, str(error), vars(error))

    class ForeignError(Exception):
        pass

    told = raised(ForeignError("of a driver")).error
    assert type(told) is RuntimeError
    assert "ForeignError: of a driver" in str(told)


def test_what_a_synchronous_call_raises_the_next_call_raises(rig: ProcessRig) -> None:
    """Pause and resume have no answer, and yet nothing that goes wrong there is lost."""

    async def case(_: Rig) -> None:
        log = await rig.open()
        log.channel.tell(LOG, "no_such_method")
        assert await log.topics() == []
        await fails(log.topics(), AttributeError)
        assert await log.topics() == []

    rig.run(case)


def test_a_reader_says_where_it_stands(rig: ProcessRig) -> None:
    """Right after it is opened, and after each poll, as one of this process would."""

    async def case(_: Rig) -> None:
        log = await rig.open()
        await log.ensure([TopicSpec("work")])
        await log.append(numbered("work", 5))
        reader = await log.reader(["work"], {("work", 0): 2})
        assert reader.positions() == {("work", 0): 2}
        assert len(await reader.poll(limit=2)) == 2
        assert reader.positions() == {("work", 0): 4}

    rig.run(case)


def test_an_engine_without_known_points_refuses_to_crash() -> None:
    """A crash that is asked for and cannot be planted is an error, never a case that passes by itself."""
    rig = ProcessRig("memory:", lease_seconds=6.0, crash_points=("commit:inside",))

    async def case(_: Rig) -> None:
        await rig.crash_at(await rig.open(), "commit:inside")

    with pytest.raises(ValueError, match="PLANTS"):
        rig.run(case)


def test_a_waiting_handle_costs_next_to_nothing(rig: ProcessRig) -> None:
    """The contract measures the process of the case; here it is that of the handle, over two seconds of waiting."""

    async def case(_: Rig) -> None:
        log = await rig.open()
        await log.ensure([TopicSpec("work")])
        member, reader = await Member.join(log, Interest("group/step", "work")), await log.reader(["work"])
        await together(rig, [member], lambda: len(member.held) == 1, "the partition")
        used = rig.process(log).cpu_seconds()
        await asyncio.gather(member.turn(timeout=2), reader.poll(timeout=2))
        assert rig.process(log).cpu_seconds() - used <= 0.05  # the kernel counts in hundredths of a second

    rig.run(case)


def test_what_starts_threads_is_not_preloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fork would inherit their locks without them; what starts none may be."""
    start = "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "preloaded_busy.py").write_text(start)
    (tmp_path / "preloaded_quiet.py").touch()
    case, url = CASES["closing.closing_is_idempotent"], rig_at(tmp_path).url
    ProcessRig(url, lease_seconds=LEASE, crash_points=(), preload=("preloaded_quiet",)).run(case)
    with pytest.raises(RuntimeError, match="the zygote ended"):
        ProcessRig(url, lease_seconds=LEASE, crash_points=(), preload=("preloaded_busy",)).run(case)


def test_a_failing_case_leaves_no_process(rig: ProcessRig) -> None:
    """Handles that it left frozen, killed or busy end with it, and what it raised is what is raised."""
    busy = []

    async def case(_: Rig) -> None:
        logs = [await rig.open() for _ in range(3)]
        await logs[0].ensure([TopicSpec("work")])
        reader = await logs[0].reader(["work"])
        busy.append(asyncio.ensure_future(reader.poll(timeout=60)))
        await rig.freeze(logs[1])
        await rig.kill(logs[2])
        assert not busy[0].done()
        raise AssertionError("broken on purpose")

    with pytest.raises(AssertionError, match="on purpose"):
        rig.run(case)
    assert isinstance(busy[0].exception(), LogUnavailable)


def test_no_process_outlives_a_killed_parent(tmp_path: Path) -> None:
    """Who runs the cases is killed: zygote and handles, a frozen one too, go with it."""
    command = [sys.executable, "-c", ORPHANS, rig_at(tmp_path).url]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        left = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(left) == 4
        parent.send_signal(signal.SIGKILL)
    until(lambda: not any(lives(process) for process in left), "all processes are gone")


def test_a_zygote_that_died_is_replaced(tmp_path: Path) -> None:
    """Its handles went with it; the next case has a new one."""
    rig_at(tmp_path).run(CASES["closing.closing_is_idempotent"])
    first = zygote().pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: zygote().pid is None, "the zygote is gone")
    rig_at(tmp_path).run(CASES["closing.closing_is_idempotent"])
    assert zygote().pid not in (None, first)


def states(pid: int) -> set[str]:
    """The states of a process's threads."""
    return {psutil.Process(thread.id).status() for thread in psutil.Process(pid).threads()}


def lives(process: psutil.Process) -> bool:
    """Whether it runs; one that only waits to be reaped, by whoever inherited it, does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
