"""Replicas of services as an orchestrator runs them: a process each, asked whether it is ready, and sent away."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.support.prometheus import fetch

READY = 300.0  # seconds until a replica has to be ready, on a machine that does much else
DRAINED = 300.0  # seconds until one that was sent away has to be gone


class Replica:
    """One process of `farandole run TARGET`. What it says goes to a file in `folder`, named after its number."""

    def __init__(self, target: str, folder: Path, env: Mapping[str, str]) -> None:
        self.target = target
        self._address = f"127.0.0.1:{_free_port()}"
        self.said = folder / f"{target.rpartition(':')[2]}-{self._address.rpartition(':')[2]}.log"
        command = [sys.executable, "-m", "farandole", "run", target, "--metrics", self._address]
        with self.said.open("wb") as output:
            self._process = subprocess.Popen(command, env=env, stdout=output, stderr=output, cwd=folder)

    def ready(self) -> "Replica":
        """Return once /readyz says so: it holds partitions, or others hold them all."""
        until = time.monotonic() + READY
        while time.monotonic() < until and self._process.poll() is None:
            try:
                if fetch(f"http://{self._address}/readyz")[0] == 200:
                    return self
            except OSError:
                pass  # it does not listen yet
            time.sleep(0.1)
        raise AssertionError(f"{self.target} is not ready (exit code {self._process.poll()}): {self.tail()}")

    def send_away(self) -> None:
        """SIGTERM, as an orchestrator does; it has to finish what it has begun, and to end with 0."""
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(DRAINED)
        assert code == 0, f"{self.target} ended with {code}: {self.tail()}"

    def kill(self) -> None:
        """At once, whatever it does."""
        self._process.kill()
        self._process.wait(DRAINED)

    def tail(self) -> str:
        """The last that it said."""
        return self.said.read_text(errors="replace")[-3000:]


class Replicas:
    """Those that run, by service. What is left when the block ends is killed."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder, self._env = folder, dict(os.environ) | dict(env)
        self._running: dict[str, list[Replica]] = {}

    def __enter__(self) -> "Replicas":
        return self

    def __exit__(self, *_: object) -> None:
        for replica in self.all():
            replica.kill()

    def all(self) -> list[Replica]:
        """Every one that runs."""
        return [replica for replicas in self._running.values() for replica in replicas]

    def start(self, service: str, target: str, count: int = 2) -> None:
        """So many of a service, side by side; `ready` waits for them."""
        self._running.setdefault(service, []).extend(self._new(target) for _ in range(count))

    def ready(self) -> None:
        """Return once all are ready."""
        for replica in self.all():
            replica.ready()

    def roll(self, service: str, target: str, env: Mapping[str, str] | None = None, *, most: int = 1_000) -> None:
        """Replace them one after the other, `most` of them: the new one is ready before the old one goes.

        `env`: what those that come see beside or instead of what the others did.
        """
        self._env |= env or {}
        running = self._running[service]
        for old in [one for one in running if one.target != target or env][:most]:
            running.append(self._new(target))
            running[-1].ready()
            old.send_away()
            running.remove(old)

    def send_away(self) -> None:
        """All of them."""
        for replica in self.all():
            replica.send_away()
        self._running.clear()

    def _new(self, target: str) -> Replica:
        return Replica(target, self._folder, self._env)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
