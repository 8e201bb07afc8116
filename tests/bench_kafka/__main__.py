"""`make bench-kafka`: one run on one real broker; a table and one JSON object; exit 1 where a bar is missed.

    python -m tests.bench_kafka [--only NAME …] [--parts throughput latency flows] [--quick] [--json-file FILE]

Exit codes: 0; 1 where a bar is missed or could not be judged; 78 where no Kafka is to be had.
"""

import argparse
import asyncio
import json
import signal
import sys
import time
from typing import NamedTuple

from rich.console import Console

from farandole.cli.codes import Code
from scripts.kafka import Cluster, NoKafka, kafka_cluster
from tests.bench_kafka import flows, latency, throughput
from tests.bench_kafka.about import about
from tests.bench_kafka.broker import JAVA_OPTIONS, Broker
from tests.bench_kafka.peers import PEERS, PEERS_PYTHON
from tests.bench_kafka.report import Found, as_json, judged, show

PARTS = ("throughput", "latency", "flows")
_QUICK = 0.1  # of all counts, one round: shows that it works, and nothing of how fast


class Scale(NamedTuple):
    """How much is measured."""

    rounds: int
    share: float
    events: int


def main() -> int:
    """Measure what was asked for; nothing else should run meanwhile."""
    options = _options()
    if not PEERS_PYTHON.exists():
        sys.stderr.write("the peers are not installed; run: make bench-kafka\n")
        return Code.REFUSED
    begun = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that no worker is left behind
    try:
        with kafka_cluster(java_options=JAVA_OPTIONS) as cluster:
            found = _measured(cluster, options)
    except NoKafka as error:
        sys.stderr.write(f"{error}\n")
        return Code.REFUSED
    everything = not options.only and set(options.parts) == set(PARTS)
    bars = judged(found, complete=everything)
    show(found, bars, Console(width=150))
    report = json.dumps(as_json(found, bars) | {"about": about(time.monotonic() - begun, peers=True)})
    sys.stdout.write(report + "\n")
    if options.json_file:
        with open(options.json_file, "w", encoding="utf-8") as file:
            file.write(report + "\n")
    return 0 if all(bar.met for bar in bars) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*(peer.name for peer in PEERS), flows.HERE, *flows.PROGRAM]
    parser.add_argument("--only", nargs="+", choices=names, default=[], help="these; bars that lack one are left out")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works")
    parser.add_argument("--json-file", help="write the JSON object there, too")
    return parser.parse_args()


def _measured(cluster: Cluster, options: argparse.Namespace) -> Found:
    scale = Scale(1, _QUICK, 200) if options.quick else Scale(3, 1.0, 800)
    peers = [peer for peer in PEERS if not options.only or peer.name in options.only]
    names = [name for name in (flows.HERE, *flows.PROGRAM) if not options.only or name in options.only]
    broker = Broker(cluster.bootstrap)
    found = Found(cluster.origin)
    try:
        if "throughput" in options.parts:
            found.throughput = asyncio.run(throughput.run(broker, peers, rounds=scale.rounds, share=scale.share))
        if "latency" in options.parts:
            interval = found.throughput.interval()
            for hops in (1, 5):
                one = latency.run(broker, peers, hops, rounds=scale.rounds, events=scale.events, interval=interval)
                found.latency[hops] = one
        if "flows" in options.parts:
            found.flows = flows.run(broker, names, rounds=scale.rounds, share=scale.share)
    finally:
        broker.close()
    return found


if __name__ == "__main__":
    sys.exit(main())
