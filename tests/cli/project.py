"""A user's project in a folder, its services as real processes, and the command line as a user has it."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import psutil

from farandole.cli import main

SERVICES = """
import os
import time
from farandole import Event, Retry, Service


class OrderPlaced(Event, type="order.placed", key="order"):
    order: str
    items: int = 1
    seconds: float = 0.0


class ItemPicked(Event, type="item.picked", key="order"):
    order: str
    seconds: float = 0.0


class OrderPacked(Event, type="order.packed", key="order", final=True):
    order: str
    items: int


class NoBox(Exception):
    pass


picking = Service("picking", accepts=[OrderPlaced])
packing = Service("packing")


@picking.step
def pick(order: OrderPlaced) -> list[ItemPicked]:
    return [ItemPicked(order=order.order, seconds=order.seconds) for _ in range(order.items)]


@packing.step(retry=Retry(attempts=1))
def pack(items: list[ItemPicked]) -> OrderPacked:
    time.sleep(items[0].seconds)
    if items[0].order.startswith("odd") and not os.path.exists(f"box-{items[0].order}"):
        raise NoBox(f"no box for {items[0].order}")
    return OrderPacked(order=items[0].order, items=len(items))
"""
SETTINGS = """
log = "sqlite:///var/log.db"
grace = "5s"

[up]
services = ["shop:picking", "shop:packing"]
"""
START = 30.0  # seconds that processes may take to start on a busy machine


@dataclass(frozen=True)
class Project:
    """A folder with services; `farandole` runs one command in it."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Project":
        """Two services and their settings."""
        (folder / "shop.py").write_text(SERVICES)
        (folder / "farandole.toml").write_text(SETTINGS)
        return cls(folder)

    def farandole(
        self, *args: str | bytes, given: bytes | None = None, before: Sequence[str] = ()
    ) -> "subprocess.CompletedProcess[str]":
        """Run one command to its end. `before`: a command that runs it, such as strace."""
        return subprocess.run(
            [*before, sys.executable, "-m", "farandole", *args],
            cwd=self.folder,
            env=environment(),
            input=None if given is None else given.decode(),
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def main(self, *args: str) -> "subprocess.CompletedProcess[str]":
        """As `farandole`, within this process: sooner, and the same but for the interpreter's own start."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(self.folder), redirect_stdout(out), redirect_stderr(err):
            code = main(args)
        return subprocess.CompletedProcess(args, code, out.getvalue(), err.getvalue())

    def start(self, *args: str, before: Sequence[str] = (), name: str = "") -> "subprocess.Popen[str]":
        """Start a command that goes on; its output goes to files named after it, or as said."""
        name = name or args[0]
        with open(self.folder / f"{name}.out", "w") as out, open(self.folder / f"{name}.err", "w") as err:
            return subprocess.Popen(
                [*before, sys.executable, "-m", "farandole", *args],
                cwd=self.folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                text=True,
                start_new_session=True,
            )

    @contextmanager
    def up(self, *args: str, services: int = 2) -> Iterator["subprocess.Popen[str]"]:
        """`farandole up`, once so many services have started; ended, with all it started, afterwards."""
        process = self.start("up", *args)
        try:
            self.await_text("up.err", '"event": "started"', services)
            yield process
        finally:
            end(process)

    def await_text(self, name: str, text: str, times: int = 1) -> None:
        """Until a file of a running command holds `text` so many times."""
        path = self.folder / name
        until(lambda: path.read_text().count(text) >= times, lambda: path.read_text())


def environment() -> dict[str, str]:
    """As a user has it: nothing of ours is set."""
    return {name: text for name, text in os.environ.items() if not name.startswith("FARANDOLE_")}


def until(holds: Callable[[], bool], told: Callable[[], str] = lambda: "it did not happen") -> None:
    """Wait until `holds()` is true; fails with what `told()` says."""
    deadline = time.monotonic() + START
    while not holds():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)


def end(process: "subprocess.Popen[str]") -> None:
    """Stop a command and see to it that nothing of it is left."""
    left = descendants(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for one in left:
        if one.is_running():
            one.kill()


def descendants(pid: int) -> list[psutil.Process]:
    """Every process below this one."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended; one that waits to be reaped has."""
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
