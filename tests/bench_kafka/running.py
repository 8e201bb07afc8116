"""A worker as a process that is started, looked at and stopped."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO

import psutil

from tests.bench.chain import SERVICES
from tests.bench_kafka.peers import ROOT, Ends, Peer, command, environment

_GRACE = 10.0  # seconds to end by itself
_TAIL = 2_000


class Running:
    """One worker."""

    def __init__(self, process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
        self._process, self._said = process, said
        self._there = psutil.Process(process.pid)

    def cpu(self) -> float:
        """Seconds of CPU so far, its children's too. Raises RuntimeError where it has ended."""
        return sum(sum(member.cpu_times()[:2]) for member in self.family())

    def family(self) -> list[psutil.Process]:
        """The process and its children. Raises RuntimeError where it has ended."""
        self.check()
        return [self._there, *self._there.children(recursive=True)]

    def check(self) -> None:
        """Raises RuntimeError with what it said, where it has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"the worker ended with {self._process.returncode}:\n{self.said()}")

    def said(self) -> str:
        """The end of its output."""
        self._said.seek(0)
        return self._said.read()[-_TAIL:].decode(errors="replace")

    def stop(self) -> None:
        """SIGTERM, and where that does not do, the end of it and its children."""
        family = [self._there, *self._there.children(recursive=True)] if self._process.poll() is None else []
        self._process.terminate()
        _, alive = psutil.wait_procs(family, timeout=_GRACE)
        for member in alive:
            member.kill()
        self._process.wait(_GRACE)


@contextmanager
def worker(peer: Peer, ends: Ends, *, group: str, interval: float) -> Iterator[Running]:
    """One that runs until the block ends."""
    with _started(command(peer, ends, group=group, interval=interval), ends) as running:
        yield running


@contextmanager
def workers(peer: Peer, chain: Sequence[tuple[Ends, str]], *, interval: float) -> Iterator[list[Running]]:
    """Several, each with its ends and the name of its group."""
    with ExitStack() as stack:
        yield [stack.enter_context(worker(peer, ends, group=group, interval=interval)) for ends, group in chain]


@contextmanager
def all_in_one(ends: Ends) -> Iterator[Running]:
    """Every service of Farandole's chain in one process."""
    with targets([f"tests.bench.chain:{service.name}" for service in SERVICES], ends) as running:
        yield running


@contextmanager
def targets(names: Sequence[str], ends: Ends) -> Iterator[Running]:
    """`farandole run` of these services in one process."""
    with _started([sys.executable, "-m", "farandole", "run", *names], ends) as running:
        yield running


@contextmanager
def _started(words: list[str], ends: Ends) -> Iterator[Running]:
    with tempfile.TemporaryDirectory(prefix="farandole-bench-") as folder, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            words, cwd=ROOT, env=environment(ends) | {"TMPDIR": folder}, stdout=said, stderr=subprocess.STDOUT
        )
        running = Running(process, said)
        try:
            yield running
        finally:
            running.stop()
