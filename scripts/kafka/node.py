"""One broker of our own, a JVM under a guard: it ends when this process ends, in whatever way."""

import os
import socket
import subprocess
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from farandole.runtime.guarded import Guard, Guarded, Spec
from scripts.kafka.errors import KafkaFailed
from scripts.kafka.ready import wait_ready
from scripts.kafka.settings import HOST, Ports, properties

GRACE = 30.0  # seconds for a controlled shutdown, then it is killed
START = 60.0  # seconds for a node to answer; some 5 on two idle cores
_TAIL = 3_000


class Node:
    """One node: `start`, `stop`, `kill`, in any order and from any thread. Its port and data stay."""

    __slots__ = ("_folder", "_guard", "_java", "_lock", "_process", "id", "inner_port", "port")

    def __init__(self, number: int, ports: Ports, *, java: Sequence[str], folder: Path, guard: Guard) -> None:
        self.id = number
        self.port = ports.client
        self.inner_port = ports.broker
        self._java = tuple(java)
        self._folder = folder
        self._guard = guard
        self._lock = threading.RLock()
        self._process: Guarded | None = None

    @property
    def address(self) -> str:
        """`host:port` for clients."""
        return f"{HOST}:{self.port}"

    @property
    def inner(self) -> str:
        """`host:port` where the brokers speak to one another: without TLS or login, whatever clients have to use."""
        return f"{HOST}:{self.inner_port}"

    @property
    def log(self) -> Path:
        """What it says: warnings and errors."""
        return self._folder / "node.log"

    @property
    def data(self) -> Path:
        """Where its partitions lie."""
        return self._folder / "data"

    @property
    def pid(self) -> int | None:
        """The JVM's; None while it does not run."""
        with self._lock:
            process = self._process
            if process is None:
                return None
            with suppress(BlockingIOError):
                process.feed(_unread(process))
            return None if process.over else process.pid

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-_TAIL:] or "(nothing)"

    def format(self, settings: Mapping[str, str], cluster_id: str) -> None:
        """Write its settings and prepare its storage. Raises KafkaFailed."""
        self._folder.mkdir()
        self._settings.write_text(properties({**settings, "log.dirs": str(self.data)}), encoding="utf-8")
        command = [*self._java, "kafka.tools.StorageTool", "format"]
        done = subprocess.run(
            [*command, f"--cluster-id={cluster_id}", "--config", str(self._settings)],  # an id may begin with a dash
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=START,
            check=False,
        )
        if done.returncode:
            raise KafkaFailed(
                f"the storage of node {self.id} was not formatted:\n{(done.stdout + done.stderr)[-_TAIL:]}"
            )

    def launch(self) -> None:
        """Start the JVM without waiting for its answer; nothing where it runs. Raises KafkaFailed."""
        with self._lock:
            if self.pid is not None:
                return
            self._forget()
            self._process = self._run()

    def start(self, timeout: float = START) -> None:
        """Start it and wait until it answers as a member of the cluster. Raises KafkaFailed."""
        self.launch()
        self.wait({self.id}, timeout)

    def wait(self, present: Collection[int], timeout: float) -> None:
        """Return once it answers and names the nodes `present`. Raises KafkaFailed with the end of its log."""
        try:
            wait_ready(self.inner, present=present, timeout=timeout, check=self._check)
        except KafkaFailed as error:
            raise KafkaFailed(f"{error}\nnode {self.id} said:\n{self.tail()}") from None

    def stop(self) -> None:
        """A controlled shutdown, as an administrator's restart begins; returns when it has ended."""
        with self._lock:
            if self._process is not None:
                self._process.stop()
                self._forget()

    def kill(self) -> None:
        """SIGKILL; returns when it has ended.

        In a cluster of one, Kafka 4.4 may lose the marker of a commit that it has just acknowledged: its coordinator
        finds no leader for the partition while the node registers anew, takes the topic for deleted, and closes the
        transaction without it, so read_committed stands still there for ever. Judge commits on three nodes.
        """
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._forget()

    @property
    def _settings(self) -> Path:
        return self._folder / "node.properties"

    def _check(self) -> None:
        if self.pid is None:
            raise KafkaFailed(f"node {self.id} has ended")

    def _run(self) -> Guarded:
        argv = [*self._java, "kafka.Kafka", str(self._settings)]
        spec = Spec(argv[0], argv, dict(os.environ), str(self._folder), grace=GRACE)
        with self.log.open("ab") as log, open(os.devnull, "rb") as nothing:
            process = self._guard.start(spec, [nothing.fileno(), log.fileno(), log.fileno()])
        process.receive()
        if process.pid is None:
            raise KafkaFailed(f"node {self.id}: {argv[0]} cannot be executed: {process.failure}")
        return process

    def _forget(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            while not process.over:
                process.receive()
            process.close()


def _unread(process: Guarded) -> bytes:
    """What the guard has reported; raises BlockingIOError where it has not."""
    try:
        return process.control.recv(4096, socket.MSG_DONTWAIT)
    except ConnectionError:
        return b""
