"""On what it was measured: commit, versions, machine."""

import os
import platform
import subprocess
import sys

from tests.bench_kafka.peers import PEERS_PYTHON, versions

HERE = ("confluent-kafka", "aiokafka", "pydantic", "msgspec")
THERE = ("faststream", "faust-streaming", "quixstreams", "dask", "dbos", "prefect", "confluent-kafka", "aiokafka")


def about(seconds: float, *, peers: bool = False) -> dict[str, object]:
    """Of a run that took so many seconds; `peers`: their versions too."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "here": versions(sys.executable, HERE),
        **({"peers": versions(str(PEERS_PYTHON), THERE)} if peers else {}),
        "commit": commit.stdout.strip(),
        "seconds": round(seconds),
        "load": os.getloadavg(),
    }
