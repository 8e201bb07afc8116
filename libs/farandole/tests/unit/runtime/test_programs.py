"""External programs: they run to their end, or are ended for good with all that they started."""

import fcntl
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from farandole.events.errors import BadInput, DeclarationError, ProgramFailed, StepError, TimedOut
from farandole.runtime.guarded import Guard, Guarded, Spec
from farandole.runtime.programs import STDERR_KEPT, STDOUT_KEPT, Stop, Supervision, run_program
from farandole.runtime.streams import Streams

SOON = 5.0
"""Seconds within which nothing may be left of what was ended."""

# A program whose descendants try to stay: in the background, in a session of its own and reparented, the
# latter without any environment. Each sleeps for a duration that only this test uses.
STUBBORN = """
trap '' TERM HUP
setsid sleep {mark} &
(setsid env -i sh -c 'trap "" TERM; sleep {mark} & sleep {mark}' &)
{then}
"""


@pytest.fixture(scope="module")
def guard() -> Iterator[Guard]:
    guard = Guard()
    yield guard
    guard.close()


@pytest.fixture
def under(guard: Guard) -> Supervision:
    return Supervision(guard=guard, grace=0.2)


@pytest.fixture
def mark() -> Iterator[str]:
    """A duration by which the processes of one test are found; none of them is left for the next test."""
    mark = f"{100_000 + os.getpid()}.{time.monotonic_ns()}"
    yield mark
    for process in marked(mark):
        process.kill()


def marked(mark: str) -> list[psutil.Process]:
    processes = psutil.process_iter(["cmdline", "status"])
    living = [process for process in processes if process.info["status"] != psutil.STATUS_ZOMBIE]
    return [process for process in living if mark in (process.info["cmdline"] or ())]


def wait_until_marked(mark: str, count: int) -> None:
    until = time.monotonic() + SOON
    while len(marked(mark)) < count:
        assert time.monotonic() < until, f"{len(marked(mark))} of {count} programs came up"
        time.sleep(0.02)


def assert_none_left(mark: str, within: float = SOON) -> None:
    until = time.monotonic() + within
    while left := marked(mark):
        assert time.monotonic() < until, f"orphans: {left}"
        time.sleep(0.02)


def stubborn(mark: str, then: str = "wait") -> list[str]:
    return ["sh", "-c", STUBBORN.format(mark=mark, then=then)]


def service(code: str, *args: str) -> "subprocess.Popen[bytes]":
    """A process that runs programs, as a service would."""
    head = "import os, sys, time, threading\nfrom pathlib import Path\nfrom farandole.runtime.programs import *\n"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-c", head + code, *args], env=env, stdout=subprocess.PIPE)


def guards() -> set[psutil.Process]:
    """The guards of this process."""
    found = set()
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # another one, which ended between two looks
            if any("guard.py" in word for word in child.cmdline()):
                found.add(child)
    return found


@pytest.fixture
def lone() -> Iterator[tuple[Guard, psutil.Process]]:
    """A guard of the test's own, and its process."""
    before, guard = guards(), Guard()
    run_program(["true"], under=Supervision(guard))
    [process] = guards() - before
    yield guard, process
    guard.close()


# ------------------------------------------------------------------------------------------ to their end


def test_a_program_gets_its_arguments_as_they_are(under: Supervision) -> None:
    """No shell looks at them; bytes that are no text come through."""
    odd = os.fsdecode(b"caf\xe9")
    done = run_program(["printf", r"%s\n", "$HOME; *", "a b", "", "–", odd], under=under)
    assert done.stdout == b"$HOME; *\na b\n\n" + "–".encode() + b"\ncaf\xe9\n"
    assert done.argv[0] == "printf"
    assert done.stderr == ""
    assert 0 < done.seconds < SOON


def test_its_environment_is_ours_and_what_is_added(
    under: Supervision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is at the call, not as it was when the guard started; in the folder that is asked for."""
    monkeypatch.setenv("OURS", "1")
    done = run_program(["sh", "-c", "echo $OURS $ADDED; pwd"], env={"ADDED": "2"}, cwd=tmp_path, under=under)
    assert done.stdout.decode() == f"1 2\n{tmp_path}\n"


def is_ignored(number: signal.Signals) -> bool:
    """Whether this process ignores a signal."""
    return signal.getsignal(number) == signal.SIG_IGN


def test_it_has_three_descriptors_and_the_default_signals(under: Supervision) -> None:
    """Nothing of ours leaks into it: no socket, no ignored signal, no blocked one; what outsiders ignore stays."""
    done = run_program(["sh", "-c", "ls /proc/self/fd; grep -E 'Sig(Blk|Ign)' /proc/self/status"], under=under)
    *fds, blocked, ignored = done.stdout.decode().split("\n")[:-1]
    assert fds == ["0", "1", "2", "3"], "3 is the folder that ls reads"
    # glibc keeps signals 32 and 33 to itself: what an outer process ignored of them, nobody inside can restore.
    # What our own parent ignored, as nohup or a shell's background does, is its will for all below it.
    will = [number for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT) if is_ignored(number)]
    ours = ~(0b11 << 31 | sum(1 << (number - 1) for number in will))
    assert int(blocked.split()[1], 16) & ours == int(ignored.split()[1], 16) & ours == 0


def test_input_and_output_may_be_larger_than_any_pipe(under: Supervision, tmp_path: Path) -> None:
    """5 MB in, 5 MB out to a file; without input stdin is empty."""
    data = os.urandom(5_000_000)
    done = run_program(["cat"], input=data, stdout=tmp_path / "out", under=under)
    assert (tmp_path / "out").read_bytes() == data
    assert (done.stdout, done.stdout_dropped) == (b"", 0)
    assert run_program(["cat"], under=under).stdout == b""


def test_only_the_end_of_the_output_is_kept(under: Supervision) -> None:
    """However much is written, and to both streams at once; what is dropped is counted."""
    code = "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; printf end; printf bad >&2"
    done = run_program(["sh", "-c", code], under=under)
    assert len(done.stdout) == STDOUT_KEPT
    assert done.stdout.endswith(b"\0end")
    assert done.stdout_dropped == 3_000_003 - STDOUT_KEPT
    assert len(done.stderr) == STDERR_KEPT
    assert done.stderr.endswith("\0bad")


def test_what_is_still_in_a_large_pipe_when_it_ends_is_not_lost() -> None:
    """A program may widen its pipe and leave far more in it than one read takes; nor is the end waited for."""
    with ExitStack() as stack:
        streams = Streams(stack, given=None, into=None, stdout_kept=1 << 20, stderr_kept=10)
        fcntl.fcntl(streams.theirs[1], fcntl.F_SETPIPE_SZ, 1 << 20)
        os.write(streams.theirs[1], b"x" * 900_000)
        streams.drain()
        assert len(streams.stdout.end()) == 900_000


def test_a_failed_program_tells_its_code_and_the_end_of_stderr(under: Supervision) -> None:
    """The last 4 kB, decoded whatever they are."""
    code = "for i in $(seq 3000); do echo line $i >&2; done; printf 'caf\\351' >&2; exit 3"
    with pytest.raises(ProgramFailed, match="sh ended with 3") as caught:
        run_program(["sh", "-c", code], under=under)
    assert (caught.value.program, caught.value.code) == ("sh", 3)
    assert caught.value.tail.endswith("line 3000\ncaf\ufffd")
    assert len(caught.value.tail) == STDERR_KEPT


def test_a_program_that_was_killed_tells_the_signal(under: Supervision) -> None:
    """As a negative code."""
    with pytest.raises(ProgramFailed) as caught:
        run_program(["sh", "-c", "kill -SEGV $$"], under=under)
    assert caught.value.code == -signal.SIGSEGV


def test_a_program_that_cannot_run_says_why(under: Supervision, tmp_path: Path) -> None:
    """Not on PATH, not there, not executable, no interpreter, no program: the name, and a shell's code."""
    (tmp_path / "plain").write_text("x")
    (tmp_path / "lost").write_text("#!/no/such/interpreter\n")
    (tmp_path / "junk").write_bytes(b"\x00\x01")
    for name in ("lost", "junk"):
        (tmp_path / name).chmod(0o755)
    expected = [
        ("gdalwarp-that-is-not-here", 127, "no such program on this service's PATH; install it"),
        (str(tmp_path / "none"), 127, "is not there"),
        (str(tmp_path / "plain"), 126, "is not executable"),
        (str(tmp_path / "lost"), 127, "interpreter"),
        (str(tmp_path / "junk"), 126, "is no program"),
        (str(tmp_path), 126, "is not executable"),
    ]
    for name, code, why in expected:
        with pytest.raises(ProgramFailed, match=why) as caught:
            run_program([name], under=under)
        assert (caught.value.program, caught.value.code) == (name, code)


def test_a_program_is_found_on_the_path_that_it_is_given(under: Supervision, tmp_path: Path) -> None:
    """Or by a path relative to where it runs."""
    (tmp_path / "tool").write_text("#!/bin/sh\necho here\n")
    (tmp_path / "tool").chmod(0o755)
    assert run_program(["tool"], env={"PATH": str(tmp_path)}, under=under).stdout == b"here\n"
    assert run_program(["./tool"], cwd=tmp_path, under=under).stdout == b"here\n"


def test_what_no_program_can_be_given_is_bad_input(under: Supervision) -> None:
    """Named before anything starts: a NUL, a lone surrogate, an impossible variable."""
    with pytest.raises(BadInput, match="NUL"):
        run_program(["echo", "a\0b"], under=under)
    with pytest.raises(BadInput, match="encoded"):
        run_program(["echo", "\ud800"], under=under)
    with pytest.raises(BadInput, match="no name of an environment variable"):
        run_program(["echo"], env={"A=B": "c"}, under=under)


def test_more_arguments_than_the_system_takes_are_refused_with_the_remedy(under: Supervision) -> None:
    """The guard itself carries any amount; the kernel does not."""
    with pytest.raises(ProgramFailed, match="pass them in a file") as caught:
        run_program(["true", *["x" * 100_000] * 40], under=under)
    assert caught.value.code == 126


def test_a_folder_that_is_not_there_is_named(under: Supervision, tmp_path: Path) -> None:
    """It is not mistaken for a missing program."""
    with pytest.raises(StepError, match=r"cannot work in .*none.*No such file") as caught:
        run_program(["true"], cwd=tmp_path / "none", under=under)
    assert not isinstance(caught.value, ProgramFailed)


async def test_it_is_refused_on_the_event_loop(under: Supervision) -> None:
    """With the cure; nothing was started."""
    with pytest.raises(DeclarationError, match=r"would block the event loop: declare the step as def .*runs='process'"):
        run_program(["true"], under=under)


def test_many_at_once_share_a_guard(under: Supervision) -> None:
    """Each gets its own output and code."""
    with ThreadPoolExecutor(12) as threads:
        done = threads.map(lambda n: run_program(["sh", "-c", f"sleep 0.1; echo {n}"], under=under).stdout, range(36))
        assert list(done) == [b"%d\n" % n for n in range(36)]


# ---------------------------------------------------------------------------------------- ended for good


def test_a_late_program_may_clean_up_and_is_then_late(under: Supervision) -> None:
    """SIGTERM first: its last words are in the error."""
    with pytest.raises(TimedOut, match=r"sh passed its timeout of 0\.2 s and was ended; stderr: cleaned"):
        run_program(["sh", "-c", "trap 'echo cleaned >&2; exit 0' TERM; sleep 60 & wait"], timeout=0.2, under=under)


def test_a_late_program_that_stays_is_killed_with_all_its_descendants(under: Supervision, mark: str) -> None:
    """After the grace, wherever they hide and whatever they ignore."""
    begun = time.monotonic()
    with pytest.raises(TimedOut):
        run_program(stubborn(mark), timeout=0.3, under=under)
    assert 0.5 <= time.monotonic() - begun < SOON
    assert_none_left(mark, within=0)


def test_what_a_program_leaves_behind_ends_with_it(under: Supervision, mark: str) -> None:
    """Nor do we wait for who still holds its output."""
    begun = time.monotonic()
    done = run_program(stubborn(mark, then="sleep 0.3; echo done"), under=under)
    assert done.stdout == b"done\n"
    assert time.monotonic() - begun < SOON
    assert_none_left(mark, within=0)


def test_a_stop_ends_what_runs_and_refuses_what_comes(guard: Guard, mark: str) -> None:
    """From another thread; as a StepError, for it is neither the program's fault nor its time."""
    under = Supervision(guard=guard, grace=0.2)
    threading.Timer(0.3, under.stop.set).start()
    begun = time.monotonic()
    with pytest.raises(StepError, match="sh was ended: the attempt was stopped"):
        run_program(stubborn(mark), timeout=30, under=under)
    assert time.monotonic() - begun < SOON
    assert_none_left(mark, within=0)
    with pytest.raises(StepError, match="true was not started"):
        run_program(["true"], under=under)


def test_a_stop_that_came_first_is_not_missed(guard: Guard, mark: str) -> None:
    """One that comes between the look at it and the start of the program still ends the program."""
    stop, program = Stop(), started(guard, ["sleep", mark])
    stop.set()
    program.control.settimeout(SOON)
    with stop.reaching(program):
        while not program.over:
            program.receive()
    program.close()
    assert program.code == -signal.SIGTERM


@pytest.mark.parametrize("shared", [True, False])
def test_nothing_outlives_its_killed_service(mark: str, shared: bool) -> None:
    """SIGKILL, which no code of ours can answer; with a guard for all programs or one for each."""
    code = "run_program(sys.argv[1:], under=Supervision(guard=Guard() if {shared} else None))"
    with service(code.format(shared=shared), *stubborn(mark)) as parent:
        wait_until_marked(mark, 3)
        parent.kill()
    assert_none_left(mark)


def test_nothing_outlives_service_and_supervisor_killed_together(mark: str) -> None:
    """The supervisor first, then the service, in the same instant."""
    code = (
        "import subprocess\n"
        "child = 'import sys; from farandole.runtime.programs import *; run_program(sys.argv[1:])'\n"
        "subprocess.run([sys.executable, '-c', child, *sys.argv[1:]])"
    )
    with service(code, *stubborn(mark)) as supervisor:
        wait_until_marked(mark, 3)
        [worker] = psutil.Process(supervisor.pid).children()
        supervisor.kill()
        worker.kill()
    assert_none_left(mark)


def test_nothing_outlives_a_service_whose_fork_lives_on(mark: str) -> None:
    """The fork holds the sockets open; the end of the process itself counts."""
    code = (
        "guard = Guard()\n"
        "threading.Thread(target=run_program, args=[sys.argv[1:]], kwargs={'under': Supervision(guard)}).start()\n"
        "time.sleep(0.5)\n"
        "fork = os.fork()\n"
        "if fork: print(fork, flush=True)\n"
        "time.sleep(60)\n"
    )
    with service(code, *stubborn(mark)) as parent:
        assert parent.stdout is not None
        fork = int(parent.stdout.readline())
        wait_until_marked(mark, 3)
        parent.kill()
        assert_none_left(mark)
        os.kill(fork, signal.SIGKILL)


def test_a_thread_that_ends_takes_no_program_along() -> None:
    """The kernel's parent-death signal is bound to a thread; ours must not be to the one that called first."""
    guard = Guard()
    first = threading.Thread(target=run_program, args=[["true"]], kwargs={"under": Supervision(guard)})
    first.start()
    first.join()
    assert run_program(["sh", "-c", "sleep 0.2; echo there"], under=Supervision(guard)).stdout == b"there\n"
    guard.close()


def test_a_killed_guard_takes_its_programs_along_and_is_replaced(lone: tuple[Guard, psutil.Process], mark: str) -> None:
    """The program's caller learns of it; the next call starts a new guard."""
    guard, process = lone
    under = Supervision(guard)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(run_program, stubborn(mark), timeout=20, under=under)
        wait_until_marked(mark, 3)
        process.kill()
        with pytest.raises(ProgramFailed) as caught:
            running.result(SOON)
    assert caught.value.code == -signal.SIGKILL
    assert_none_left(mark)
    assert run_program(["echo", "again"], under=under).stdout == b"again\n"


def test_a_killed_keeper_takes_its_program_along_and_only_that(lone: tuple[Guard, psutil.Process], mark: str) -> None:
    """What the program left is the guard's to kill; the guard serves on."""
    guard, process = lone
    under = Supervision(guard)
    with ThreadPoolExecutor(2) as threads:
        other = threads.submit(run_program, ["sh", "-c", "sleep 1.5; echo other"], under=under)
        running = threads.submit(run_program, stubborn(mark), timeout=20, under=under)
        wait_until_marked(mark, 3)
        descendants = {keeper: keeper.children(recursive=True) for keeper in process.children()}
        [keeper] = [k for k, below in descendants.items() if any(mark in child.cmdline() for child in below)]
        keeper.kill()
        with pytest.raises(ProgramFailed):
            running.result(SOON)
        assert_none_left(mark)
        assert other.result(SOON).stdout == b"other\n"


def test_a_program_dies_with_its_keeper_even_when_the_guard_cannot_act(
    lone: tuple[Guard, psutil.Process], mark: str
) -> None:
    """The kernel sees to the program itself; the guard, here stopped, to what it left."""
    guard, process = lone
    program = started(guard, ["sleep", mark])
    process.suspend()
    try:
        process.children()[0].kill()
        assert_none_left(mark)
    finally:
        process.resume()
        program.close()


def test_close_ends_all_even_when_a_keeper_cannot_act(lone: tuple[Guard, psutil.Process], mark: str) -> None:
    """The guard does not rely on keepers: here one is stopped."""
    guard, process = lone
    program = started(guard, ["sleep", mark])
    process.children()[0].suspend()
    guard.close()
    assert_none_left(mark, within=0)
    program.close()


def test_the_end_of_a_guard_is_seen_even_when_a_keeper_cannot_act(
    lone: tuple[Guard, psutil.Process], mark: str
) -> None:
    """A stopped keeper must not hold on to the guard's socket, or requests would go nowhere."""
    guard, process = lone
    program = started(guard, ["sleep", mark])
    keeper = process.children()[0]
    keeper.suspend()
    process.kill()
    process.wait()
    try:
        assert run_program(["echo", "again"], timeout=SOON, under=Supervision(guard)).stdout == b"again\n"
    finally:
        keeper.resume()
    assert_none_left(mark)
    program.close()


def test_terminal_signals_end_neither_guard_nor_program(lone: tuple[Guard, psutil.Process]) -> None:
    """They are for the service to answer; the guard and what it runs have sessions of their own."""
    guard, process = lone
    under = Supervision(guard)
    assert os.getsid(0) != os.getsid(process.pid)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process.send_signal(number)
    assert run_program(["echo", "still"], under=under).stdout == b"still\n"
    assert process.is_running()
    [session] = run_program(["sh", "-c", "ps -o sid= -p $$"], under=under).stdout.split()
    assert int(session) not in (os.getsid(0), os.getsid(process.pid))


def test_a_guard_ends_when_it_is_closed_or_forgotten(mark: str) -> None:
    """With what it still guards, and without a zombie."""
    for end in (Guard.close, lambda _: None):
        before, guard = guards(), [Guard()]
        program = started(guard[0], ["sleep", mark])
        [process] = guards() - before
        end(guard.pop())
        gc.collect()
        assert not process.is_running()
        assert_none_left(mark, within=0)
        program.close()


def started(guard: Guard, argv: list[str]) -> Guarded:
    with open(os.devnull, "r+b") as nothing:
        program = guard.start(Spec(f"/bin/{argv[0]}", argv, dict(os.environ), "/"), [nothing.fileno()] * 3)
    wait_until_marked(argv[1], 1)
    return program


def test_no_descriptor_and_no_process_is_left_over(lone: tuple[Guard, psutil.Process]) -> None:
    """After successes, failures and timeouts alike."""
    guard, process = lone
    under = Supervision(guard, grace=0.2)

    def use() -> None:
        run_program(["echo"], input=b"x", under=under)
        for argv in (["false"], ["no-such-program"], ["/etc/passwd"], ["sleep", "9"]):
            with pytest.raises(StepError):
                run_program(argv, timeout=0.05, under=under)

    def at_rest() -> tuple[int, int]:
        """The descriptors of both, once the guard has seen the end of the last program: they change no more."""
        counts = [(-1, -1)]
        while len(counts) < 5 or len(set(counts[-5:])) > 1:
            time.sleep(0.05)
            counts.append((psutil.Process().num_fds(), process.num_fds()))
        return counts[-1]

    use()
    before = at_rest()
    for _ in range(5):
        use()
    assert at_rest() == before
    assert process.children() == []
