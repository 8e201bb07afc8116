"""One broker of our own, a JVM under a guard: it ends when this process ends, in whatever way."""

import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from farandole.runtime.guarded import Guard
from scripts.kafka.errors import KafkaFailed
from scripts.kafka.ready import wait_ready
from scripts.kafka.settings import Ports, properties
from scripts.ports import HOST
from scripts.program import NotExecuted, Program

START = 60.0  # seconds for a node to answer; some 5 on two idle cores
_TAIL = 3_000
_TAKEN = "Address already in use"


class Node:
    """One node: `start`, `stop`, `kill`, in any order and from any thread. Its port and data stay."""

    __slots__ = ("_folder", "_java", "_program", "id", "inner_port", "port")

    def __init__(self, number: int, ports: Ports, *, java: Sequence[str], folder: Path, guard: Guard) -> None:
        self.id = number
        self.port = ports.client
        self.inner_port = ports.broker
        self._java = tuple(java)
        self._folder = folder
        argv = [*self._java, "kafka.Kafka", str(self._settings)]
        self._program = Program(argv, folder=folder, log=folder / "node.log", guard=guard)

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
        return self._program.log

    @property
    def data(self) -> Path:
        """Where its partitions lie."""
        return self._folder / "data"

    @property
    def pid(self) -> int | None:
        """The JVM's; None while it does not run."""
        return self._program.pid

    @property
    def found_its_port_taken(self) -> bool:
        """Whether it has ended because somebody else listened where it was to."""
        return self.pid is None and _TAKEN in self.log.read_text(encoding="utf-8", errors="replace")

    def tail(self) -> str:
        """The end of its log."""
        return self._program.tail()

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
        try:
            self._program.launch()
        except NotExecuted as error:
            raise KafkaFailed(f"node {self.id}: {error}") from error

    def start(self, timeout: float = START) -> None:
        """Start it and wait until it answers as a member of the cluster. Raises KafkaFailed."""
        self.launch()
        self.wait({self.id}, timeout)

    def wait(self, present: Collection[int], timeout: float, fellows: Sequence["Node"] = ()) -> None:
        """Return once it answers and names the nodes `present`.

        Raises KafkaFailed with the end of its log, or of a fellow's that has ended.
        """

        def check() -> None:
            for node in (self, *fellows):
                if node.pid is None:
                    raise KafkaFailed(f"node {node.id} has ended; it said:\n{node.tail()}")

        try:
            wait_ready(self.inner, present=present, timeout=timeout, check=check)
        except KafkaFailed as error:
            raise KafkaFailed(f"{error}\nnode {self.id} said:\n{self.tail()}") from None

    def stop(self) -> None:
        """A controlled shutdown, as an administrator's restart begins; returns when it has ended."""
        self._program.stop()

    def kill(self) -> None:
        """SIGKILL; returns when it has ended.

        In a cluster of one, Kafka 4.4 may lose the marker of a commit that it has just acknowledged: its coordinator
        finds no leader for the partition while the node registers anew, takes the topic for deleted, and closes the
        transaction without it, so read_committed stands still there for ever. Judge commits on three nodes.
        """
        self._program.kill()

    @property
    def _settings(self) -> Path:
        return self._folder / "node.properties"
