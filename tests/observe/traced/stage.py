"""The troupe as real processes on a log of any engine, and its traces."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from farandole.client import AsyncClient
from farandole.engines.open import open_log
from farandole.events.envelope import Envelope
from farandole.events.ids import workflow_id
from farandole.fold import WorkflowState
from tests.observe.traced.receiver import Got, receiving
from tests.observe.traced.troupe import OrderPlaced

ROOT = Path(__file__).resolve().parents[3]
SERVICES = ("picking", "packing")
PATIENCE = 60.0
OUTSIDE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Stage:
    """A folder with a log, or for one elsewhere (`url`). `env`: what every process sees beside the settings."""

    def __init__(self, folder: Path, url: str = "", **env: str) -> None:
        self.url = url or f"sqlite:///{folder}/log.db?lease=2"
        self.box = folder / "box"
        (folder / "farandole.toml").touch()
        self.env = os.environ | {
            "FARANDOLE_CONFIG": str(folder / "farandole.toml"),
            "FARANDOLE_LOG": self.url,
            "FARANDOLE_LOG_LEVEL": "WARNING",
            "BOX": str(self.box),
            **env,
        }

    @contextmanager
    def process(self, *args: str) -> Iterator[subprocess.Popen[bytes]]:
        """A command of farandole; stopped in order at the end, unless it was killed."""
        argv = [sys.executable, "-m", "farandole", *args]
        with subprocess.Popen(argv, cwd=ROOT, env=self.env) as process:
            try:
                yield process
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                    assert process.wait(PATIENCE) in (0, -signal.SIGTERM)  # the latter: it had hardly begun
            finally:
                process.kill()

    @contextmanager
    def services(self) -> Iterator[list[subprocess.Popen[bytes]]]:
        """Every service in a process of its own; `again` starts one again that was killed."""
        with ExitStack() as stack:
            self._stack = stack
            yield [stack.enter_context(self.process("run", f"tests.observe.traced.troupe:{name}")) for name in SERVICES]

    def again(self, running: "list[subprocess.Popen[bytes]]", number: int) -> None:
        """In its place."""
        target = f"tests.observe.traced.troupe:{SERVICES[number]}"
        running[number] = self._stack.enter_context(self.process("run", target))

    def command(self, *args: str) -> "subprocess.CompletedProcess[str]":
        """A command that ends by itself."""
        argv = [sys.executable, "-m", "farandole", *args]
        return subprocess.run(
            argv, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def publish(self, orders: Mapping[str, int], *, outside: Sequence[str] = ()) -> list[str]:
        """Orders with so many items; those `outside` are sent within another trace. Gives their workflows."""
        return asyncio.run(_publish(self.url, orders, outside))

    def until(self, workflows: Sequence[str], status: str = "complete") -> list[WorkflowState]:
        """Wait until all of them stand so."""
        return asyncio.run(_until(self.url, workflows, lambda state: state.status == status))

    def events(self, workflow: str) -> list[Envelope]:
        """Every event of a workflow."""
        return asyncio.run(_events(self.url, workflow))

    def until_completed(self, number: int) -> None:
        """Wait until so many deliveries are completed."""
        asyncio.run(_until_completed(self.url, number))

    def redrive(self) -> None:
        """Every dead letter is tried again, with a box."""
        self.box.touch()
        done = self.command("dlq", "redrive", "--all")
        assert done.returncode == 0, done.stderr


def rebuilt(stage: Stage, folder: Path, *options: str, http: bool = False) -> list[Got]:
    """What `farandole traces rebuild` gives a receiver of its own."""
    with receiving(folder / f"rebuilt-{http}.txt") as receiver:
        done = stage.command("traces", "rebuild", "--to", receiver.http if http else receiver.grpc, "--json", *options)
        assert done.returncode == 0, done.stderr
        spans, said = receiver.spans(), json.loads(done.stdout)
        assert said["exported"] == len(spans)
        assert said["failed"] == 0
        return spans


async def _publish(url: str, orders: Mapping[str, int], outside: Sequence[str]) -> list[str]:
    log = await open_log(url)
    try:
        until = time.monotonic() + PATIENCE
        while "order.placed" not in {spec.name for spec in await log.topics()}:
            assert time.monotonic() < until, "no service has made the topic"
            await asyncio.sleep(0.05)
        async with AsyncClient(log) as client:
            for name, items in orders.items():
                trace = OUTSIDE if name in outside else None
                await client.publish(OrderPlaced(order=name, items=items), id=name, source="shop", traceparent=trace)
    finally:
        await log.close()
    return [workflow_id("shop", name) for name in orders]


async def _until(url: str, workflows: Sequence[str], right: Callable[[WorkflowState], bool]) -> list[WorkflowState]:
    async with AsyncClient(url) as client:
        until = time.monotonic() + PATIENCE
        while True:
            known = {summary.workflow for summary in await client.workflows()}
            if known.issuperset(workflows):
                states = [await client.status(workflow) for workflow in workflows]
                if all(map(right, states)):
                    return states
            assert time.monotonic() < until, "the workflows never stood so"
            await asyncio.sleep(0.1)


async def _until_completed(url: str, number: int) -> None:
    async with AsyncClient(url) as client:
        until = time.monotonic() + PATIENCE
        while sum(step.completed for one in await client.workflows() for step in one.steps.values()) < number:
            assert time.monotonic() < until, f"the services never completed {number} deliveries"
            await asyncio.sleep(0.05)


async def _events(url: str, workflow: str) -> list[Envelope]:
    async with AsyncClient(url) as client:
        return await client.events(workflow)
