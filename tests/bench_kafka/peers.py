"""Who is measured: how each is started, how many events it gets, what it claims, and how it is set up."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
PROGRAMS = "tests.bench_kafka.programs"


class Peer(NamedTuple):
    """`events`: of a run of throughput. `once`: claims that no output is there twice. `hops`: of the chains it runs."""

    name: str
    program: str
    events: int
    settings: str
    mode: str = ""
    once: bool = False
    headers: bool = False
    own_python: bool = True
    hops: tuple[int, ...] = (1, 5)
    interval: bool = False


RAW, RAW_EOS, RAW_TOLD, RAW_AIO = "raw confluent", "raw transactional", "raw transactional, told", "raw aiokafka"
FASTSTREAM, FAUST, QUIX, QUIX_EOS, OURS = "FastStream", "Faust", "Quix", "Quix exactly-once", "Farandole"

PEERS = (
    Peer(
        RAW,
        "confluent",
        150_000,
        "confluent-kafka, at-least-once: what has come (500 at most) flushed, then stored; idempotent, linger 1 ms",
        own_python=False,
    ),
    Peer(
        RAW_EOS,
        "confluent",
        150_000,
        "confluent-kafka, a transaction for what has come (500 at most), linger 1 ms, retry.backoff.ms 5 as ours",
        "transactional",
        once=True,
        own_python=False,
    ),
    Peer(
        RAW_TOLD,
        "told",
        60_000,
        "the same, and Farandole's ids, headers and facts written by hand",
        once=True,
        headers=True,
        own_python=False,
        hops=(),
    ),
    Peer(
        RAW_AIO,
        "aio",
        100_000,
        "aiokafka, at-least-once: what has come (500 at most) acknowledged, then committed; acks all, 256 KiB",
        own_python=False,
    ),
    Peer(
        FASTSTREAM,
        "faststream_hop",
        10_000,
        "defaults of @broker.subscriber under @broker.publisher on KafkaBroker (aiokafka), its log off; no key",
    ),
    Peer(FAUST, "faust_hop", 10_000, "defaults of @app.agent with topic.send; bytes in and out, pydantic between"),
    Peer(
        QUIX,
        "quix",
        100_000,
        "at-least-once, defaults; dataframe.apply and to_topic, bytes in and out, pydantic between",
        "at-least-once",
    ),
    Peer(
        QUIX_EOS,
        "quix",
        60_000,
        "the same with processing_guarantee exactly-once and Farandole's interval between commits, as measured",
        "exactly-once",
        once=True,
        interval=True,
    ),
    Peer(
        OURS,
        "",
        40_000,
        "farandole run: exactly-once, journal on, one service, one process, one partition, defaults",
        once=True,
        headers=True,
        own_python=False,
    ),
)
BY_NAME: Mapping[str, Peer] = {peer.name: peer for peer in PEERS}


class Ends(NamedTuple):
    """Where a worker reads and writes. `namespace`: for Farandole, whose topics bear the names of their types."""

    bootstrap: str
    source: str
    sink: str
    journal: str
    namespace: str
    shape: str = "measured"
    partitions: int = 1


def command(peer: Peer, ends: Ends, *, group: str, interval: float) -> list[str]:
    """How its worker is started, from the project's root."""
    if peer.name == OURS:
        target = "tests.bench.events:service" if ends.shape == "measured" else f"tests.bench.chain:{group}"
        return [sys.executable, "-m", "farandole", "run", target]
    python = str(PEERS_PYTHON) if peer.own_python else sys.executable
    told = {"bootstrap": ends.bootstrap, "source": ends.source, "sink": ends.sink, "group": group, "shape": ends.shape}
    told |= {"mode": peer.mode, "journal": ends.journal}
    if peer.interval:
        told["commit"] = f"{interval:.4f}"
    return [python, "-m", f"{PROGRAMS}.{peer.program}", *(f"--{name}={text}" for name, text in told.items())]


def environment(ends: Ends) -> dict[str, str]:
    """Of every worker; only Farandole's reads these."""
    return os.environ | {
        "FARANDOLE_LOG": f"kafka://{ends.bootstrap}/{ends.namespace}",
        "FARANDOLE_PARTITIONS": str(ends.partitions),
        "FARANDOLE_LOG_LEVEL": "WARNING",
    }


def versions(python: str, packages: tuple[str, ...]) -> dict[str, str]:
    """As `importlib.metadata` of that Python has them; "" for what is not installed."""
    script = "import sys\nfrom importlib.metadata import PackageNotFoundError as E, version\nfor n in sys.argv[1:]:\n"
    script += "    try:\n        print(version(n))\n    except E:\n        print()\n"
    done = subprocess.run([python, "-c", script, *packages], capture_output=True, text=True, check=True)
    return dict(zip(packages, done.stdout.splitlines(), strict=True))
