"""(c) A flow of five trivial steps: milliseconds a step, flows one after the other, and many at once. No bar."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass, field

from confluent_kafka import KafkaException

from tests.bench.chain import SERVICES
from tests.bench_kafka.broker import Broker, median
from tests.bench_kafka.latency import OUTSIDE, READY, Publisher, own_chain, read, tail
from tests.bench_kafka.peers import PEERS_PYTHON, PROGRAMS, ROOT
from tests.bench_kafka.running import all_in_one

HERE = "Farandole on Kafka"
PROGRAM = {"Dask": ("flow_dask", 200), "DBOS": ("flow_dbos", 200), "Prefect": ("flow_prefect", 5)}
"""And how many flows it runs."""
SETTINGS = {
    HERE: "five services in one process, exactly-once, journal on; published and read by a plain client",
    "Dask": "one worker process with two threads, a future a step; nothing is durable",
    "DBOS": "a workflow of five steps on its default database, SQLite",
    "Prefect": "a flow of five async tasks on its ephemeral server, SQLite",
}
_FLOWS = 200
_TIMEOUT = 180.0


@dataclass(slots=True)
class Flows:
    """By peer, milliseconds a step, a figure a round: `alone` and `together`; and what failed."""

    alone: dict[str, list[float]] = field(default_factory=dict)
    together: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def note(self, name: str, alone: float, together: float) -> None:
        """One round's."""
        self.alone.setdefault(name, []).append(alone)
        self.together.setdefault(name, []).append(together)
        sys.stderr.write(f"flow of five steps, {name}: {alone:.2f} ms a step, many at once {together:.2f} ms\n")
        sys.stderr.flush()

    def rows(self) -> list[tuple[str, float, float]]:
        """Name and medians."""
        return [(name, median(self.alone[name]), median(self.together[name])) for name in self.alone]


def run(broker: Broker, names: list[str], *, rounds: int, share: float) -> Flows:
    """Rounds in alternating order. `share`: of the flows, for trying."""
    found = Flows()
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            if name in found.failures:
                continue
            try:
                if name == HERE:
                    found.note(name, *_ours(broker, max(5, int(_FLOWS * share))))
                else:
                    found.note(name, *_theirs(name, share))
            except (RuntimeError, TimeoutError, KafkaException, subprocess.SubprocessError) as error:
                found.failures[name] = str(error)
                sys.stderr.write(f"flow of five steps, {name}: FAILED: {error}\n")
    return found


def _theirs(name: str, share: float) -> tuple[float, float]:
    program, flows = PROGRAM[name]
    with tempfile.TemporaryDirectory(prefix="farandole-bench-") as folder:
        told = [str(max(5, int(flows * share))), f"sqlite:///{folder}/dbos.sqlite"]
        done = subprocess.run(
            [str(PEERS_PYTHON), "-m", f"{PROGRAMS}.{program}", *told],
            cwd=ROOT,
            env=_environment(folder),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise RuntimeError(f"{program} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")
    report = json.loads(lines[-1])
    return report["alone"], report["together"]


def _environment(folder: str) -> dict[str, str]:
    """Nothing is kept, nothing is sent anywhere, and a slow start is waited for."""
    return os.environ | {
        "HOME": folder,
        "TMPDIR": folder,
        "PREFECT_HOME": f"{folder}/prefect",
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
        "DO_NOT_TRACK": "1",
    }


def _ours(broker: Broker, count: int) -> tuple[float, float]:
    """As many processes as the others have: one."""
    chain = asyncio.run(own_chain(broker, f"flow-{uuid.uuid4().hex[:8]}", len(SERVICES)))
    (first, _), (last, _) = chain[0], chain[-1]
    publisher = Publisher(broker, first.source, OUTSIDE)
    with all_in_one(first) as running, tail(broker, last.sink) as reader:

        def flow(numbers: range) -> float:
            begun = time.perf_counter()
            for number in numbers:
                publisher.send(number)
            read(reader, [running], len(numbers), READY)
            return time.perf_counter() - begun

        flow(range(1))  # starts, and is not counted
        alone = sum(flow(range(number, number + 1)) for number in range(1, count + 1))
        together = flow(range(count + 1, 2 * count + 1))
        publisher.flush()
    return 1000 * alone / count / len(SERVICES), 1000 * together / count / len(SERVICES)
