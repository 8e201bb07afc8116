"""What was spent between two moments: CPU of a worker, of the brokers and of us, and bytes of the brokers' disks."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from scripts.kafka import Node
from tests.bench_kafka.running import Running

_REMOVED = "-delete"  # how the folder of a partition ends whose topic was removed


class Spent(NamedTuple):
    """Since some moment; the difference of two is what lay between. `disk`: of the brokers' log segments."""

    seconds: float
    worker: float
    broker: float
    own: float
    disk: float

    def since(self, before: "Spent") -> "Spent":
        """From then on."""
        return Spent(*(now - then for now, then in zip(self, before, strict=True)))

    def each_second(self) -> "Spent":
        """The same a second."""
        return Spent(1.0, *(value / self.seconds for value in self[1:]))


class Meter:
    """Looks at the nodes of a cluster that we started, and at a worker, where there is one."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._ours = psutil.Process()

    def look(self, worker: Running | None = None) -> Spent:
        """How much it is by now. Raises RuntimeError where the worker has ended."""
        return Spent(
            time.monotonic(),
            worker.cpu() if worker is not None else 0.0,
            sum(_cpu(node.pid) for node in self._nodes),
            sum(self._ours.cpu_times()[:2]),
            self.disk(),
        )

    def disk(self) -> int:
        """Bytes of all log segments of all nodes, Kafka's own topics too; of what is being removed: none."""
        return self._of("*-*")

    def of_topic(self, name: str) -> int:
        """Those of one topic."""
        return self._of(f"{name}-*")

    def _of(self, pattern: str) -> int:
        folders = (folder for node in self._nodes for folder in node.data.glob(pattern))
        return sum(_size(folder) for folder in folders if not folder.name.endswith(_REMOVED))


def _size(folder: Path) -> int:
    try:
        return sum(file.stat().st_size for file in folder.glob("*.log"))
    except FileNotFoundError:  # it is removed just now
        return 0


def _cpu(pid: int | None) -> float:
    if pid is None:
        raise RuntimeError("a node has ended")
    return sum(psutil.Process(pid).cpu_times()[:2])
