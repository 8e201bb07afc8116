"""A dance in a folder of its own: `farandole up`, and a publisher with its acknowledgement journal outside."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from farandole.client import AsyncClient
from farandole.events.errors import LogError
from farandole.fold import WorkflowState


class Stage:
    """A context: services run inside. `token` marks every process that belongs to it.

    `url`: the log; without it a file of our own (`log`), with leases of `lease` seconds. `env`: what services see.
    """

    def __init__(
        self, folder: Path, targets: Sequence[str], env: Mapping[str, str], *, lease: float = 2, url: str | None = None
    ) -> None:
        self.folder, self.log = folder, folder / "log" / "log.db"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.acks = folder / "acks.jsonl"
        self.acks.touch()
        self.token = uuid.uuid4().hex
        self.url = url or f"sqlite:///{self.log}?lease={lease:g}"
        self._targets = targets
        self.env = os.environ | {
            "FARANDOLE_LOG": self.url,
            "FARANDOLE_ASSETS": str(folder / "assets"),
            "FARANDOLE_LOG_LEVEL": "WARNING",
            "FARANDOLE_CHAOS": self.token,
            **env,
        }
        self._up: subprocess.Popen[bytes] | None = None
        self.published: list[str] = []

    async def __aenter__(self) -> Self:
        self._up = await asyncio.to_thread(self._start)
        return self

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "farandole", "up", *self._targets]
        with (self.folder / "services.log").open("wb") as output:
            return subprocess.Popen(command, env=self.env, stdout=output, stderr=output, cwd=self.folder)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._up is not None
        self._up.send_signal(signal.SIGINT)
        try:
            await asyncio.to_thread(self._up.wait, 60)
        except subprocess.TimeoutExpired:
            self._up.kill()

    @property
    def up(self) -> int:
        """Process of the supervisor."""
        assert self._up is not None
        return self._up.pid

    async def publish(self, client: AsyncClient, topic: str, data: dict[str, Any], event_id: str) -> bool:
        """Publish; on acknowledgement note it outside of the log, durably. False where the log refused."""
        try:
            done = await client.publish(topic, data, id=event_id, source="stage")
        except LogError:
            return False
        with self.acks.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"source": "stage", "id": event_id, "workflow": done.workflow}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.published.append(done.workflow)
        return True

    def asked(self, *command: str) -> dict[str, Any]:
        """What `farandole … --json` says, but for how old it is."""
        argv = [sys.executable, "-m", "farandole", *command, "--json"]
        done = subprocess.run(argv, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return {name: value for name, value in json.loads(done.stdout).items() if name != "age"}

    async def finished(self, client: AsyncClient, within: float) -> list[WorkflowState]:
        """The workflows once nothing can move any more, or as they stand after `within` seconds."""
        deadline = time.monotonic() + within
        states: list[WorkflowState] = []
        for workflow in self.published:
            left = max(0.1, deadline - time.monotonic())
            try:
                states.append(await client.wait(workflow, timeout=left))
            except TimeoutError:
                states.append(await client.status(workflow))
        return states
