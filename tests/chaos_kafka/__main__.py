"""`make chaos-kafka KILLS=n BROKERS=n SEED=n`: orders are handled while services, brokers and the network fail.

    python -m tests.chaos_kafka --kills N --brokers M --network L --seed S [--minutes LIMIT] [--mutant NAME]
                                [--folder KEPT] [--book FILE] [--json]

Exit 1 where the checker finds anything, where not all comes to rest after the last fault, or where that or a take-over
takes too long; 78 where no Kafka is to be had. With a planted defect the contract suite comes first, for it is quicker,
and the rig where it has found nothing; what was only slow is no find then.
"""

import argparse
import asyncio
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scripts.kafka import NoKafka, kafka_cluster
from scripts.kafka.settings import free_ports
from tests.chaos_kafka.book import enter
from tests.chaos_kafka.brokers import inner
from tests.chaos_kafka.contracted import found_by_contract
from tests.chaos_kafka.planted import DEFECTS, MUTANT
from tests.chaos_kafka.run import Plan, perform
from tests.chaos_kafka.verdict import problems, wrong

ROOT = Path(__file__).resolve().parents[2]
NODES = 3
SETTINGS = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}
"""How soon the quorum gives up a dead node: part of each take-over beside one, so the report names it."""
NO_KAFKA = 78


def main() -> int:
    """Parse, run, judge, report."""
    options = _options()
    if options.mutant:
        os.environ[MUTANT] = options.mutant
        if told := found_by_contract(options.mutant):
            sys.stderr.write(f"CHAOS FAIL: the contract suite {told}\nagain: {_again(options)}\n")
            return 1
        sys.stderr.write("the contract suite has found nothing; the rig:\n")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that brokers go is what is done here
    plan = Plan(options.kills, options.brokers, options.network, options.seed, options.minutes * 60)
    try:
        report = _run(plan, options.folder)
    except NoKafka as error:
        sys.stderr.write(f"{error}\n")
        return NO_KAFKA
    found = wrong(report) if options.mutant else problems(report)
    report["problems"] = found
    if options.book is not None:
        enter(options.book, report)
    sys.stdout.write((json.dumps(report, indent=1) if options.json else _text(report)) + "\n")
    for problem in found:
        sys.stderr.write(f"CHAOS FAIL: {problem}\n")
    if found:
        sys.stderr.write(f"again: {_again(options)}\n")
    return 1 if found else 0


def _run(plan: Plan, kept: Path | None) -> dict[str, Any]:
    """The report with the verdict."""
    began = time.monotonic()
    ports = {number: each.client for number, each in enumerate(free_ports(NODES), 1)}
    with (
        tempfile.TemporaryDirectory(prefix="farandole-chaos-") as name,
        kafka_cluster(NODES, config=SETTINGS, origins=("java",), advertised=ports) as cluster,
    ):
        folder = kept or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        report = asyncio.run(perform(folder.resolve(), cluster, ports, plan))
        report["verdict"] = _judge(inner(cluster), report["namespace"], folder / "acks.jsonl")
        if kept and not report["verdict"]["ok"]:
            for node in cluster.nodes:
                node.stop()
                shutil.copytree(node.data.parent, folder / f"node-{node.id}")
    return report | {"settings": SETTINGS, "seconds": round(time.monotonic() - began, 1)}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos_kafka", description="Kills services and brokers; judges the log.")
    parser.add_argument("--kills", type=int, default=100, help="of services")
    parser.add_argument(
        "--brokers", type=int, default=14, help="broker faults: five kills to one stand-still and one rolling restart"
    )
    parser.add_argument("--network", type=int, default=40, help="network faults: losses, delays, nodes cut off")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=30.0, help="no fault begins after so long")
    parser.add_argument("--mutant", choices=sorted(DEFECTS), help="plant a defect, which has to be found")
    parser.add_argument(
        "--folder", type=Path, help="a new one, for what the run leaves; of a run with findings the brokers too"
    )
    parser.add_argument("--book", type=Path, help="add the slice to this book (python -m tests.chaos_kafka.book)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    return parser.parse_args()


def _again(options: argparse.Namespace) -> str:
    words = {"KILLS": options.kills, "BROKERS": options.brokers, "NETWORK": options.network, "SEED": options.seed}
    words |= {"MUTANT": options.mutant} if options.mutant else {}
    return " ".join(["make chaos-kafka", *(f"{name}={value}" for name, value in words.items())])


def _judge(bootstrap: str, namespace: str, acks: Path) -> dict[str, Any]:
    """The checker's word, from a process of its own."""
    command = [sys.executable, "-m", "tests.chaos_kafka.checker", bootstrap, namespace, str(acks)]
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
