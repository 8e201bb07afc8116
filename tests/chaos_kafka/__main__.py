"""`make chaos-kafka KILLS=n BROKERS=n SEED=n`: orders are handled while services and brokers die.

    python -m tests.chaos_kafka --kills N --brokers M --seed S [--minutes LIMIT] [--folder KEPT] [--json]

Exit 1 where the checker finds anything, or where not all comes to rest after the last fault.
"""

import argparse
import asyncio
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scripts.kafka import Cluster, kafka_cluster
from tests.chaos_kafka.run import Plan, perform
from tests.chaos_kafka.verdict import problems

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Parse, run, judge, report."""
    options = _options()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that brokers go is what is done here
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="farandole-chaos-") as name, kafka_cluster(3, origins=("java",)) as cluster:
        folder = options.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        plan = Plan(options.kills, options.brokers, options.seed, options.minutes * 60)
        report = asyncio.run(perform(folder.resolve(), cluster, plan))
        report["verdict"] = _judge(cluster, report["namespace"], folder / "acks.jsonl")
    report["seconds"] = round(time.monotonic() - began, 1)
    found = problems(report)
    sys.stdout.write((json.dumps(report, indent=1) if options.json else _text(report)) + "\n")
    for problem in found:
        sys.stderr.write(f"CHAOS FAIL: {problem}\n")
    if found:
        sys.stderr.write(f"again: make chaos-kafka KILLS={plan.kills} BROKERS={plan.brokers} SEED={plan.seed}\n")
    return 1 if found else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos_kafka", description="Kills services and brokers; judges the log.")
    parser.add_argument("--kills", type=int, default=100, help="of services")
    parser.add_argument(
        "--brokers", type=int, default=10, help="broker faults: kills, and each third a rolling restart"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=30.0, help="no fault begins after so long")
    parser.add_argument("--folder", type=Path, help="keep logs, acknowledgements and faults here (a new folder)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    return parser.parse_args()


def _judge(cluster: Cluster, namespace: str, acks: Path) -> dict[str, Any]:
    """The checker's word, from a process of its own."""
    command = [sys.executable, "-m", "tests.chaos_kafka.checker", cluster.bootstrap, namespace, str(acks)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=dict(os.environ))
    if not done.stdout:
        raise RuntimeError(f"the checker said nothing: {done.stderr[-2000:]}")
    verdict: dict[str, Any] = json.loads(done.stdout)
    verdict["findings"] = {kind: found[:20] for kind, found in verdict["findings"].items() if found}
    return verdict


def _text(report: dict[str, Any]) -> str:
    """A line for each part of the report."""
    return "\n".join(f"{name:14} {json.dumps(value)}" for name, value in report.items())


if __name__ == "__main__":
    sys.exit(main())
