"""`make kafka`: runs a Kafka in the foreground until Ctrl-C, and says how to use it.

    python -m scripts.kafka [--nodes 1|3]

Exit codes: 0 after Ctrl-C; 1 where a node ended or did not answer; 78 where no Kafka is to be had.
"""

import argparse
import sys
import time

from farandole.cli.codes import Code
from scripts.kafka.cluster import GIVEN, Cluster, kafka_cluster
from scripts.kafka.errors import KafkaFailed, NoKafka


def main() -> int:
    """Run it; the exit code."""
    nodes = _nodes()
    print("starting; the first time Maven fetches the broker", flush=True)
    try:
        with kafka_cluster(nodes, origins=("docker", "java")) as cluster:
            _announce(cluster)
            _watch(cluster)
    except KeyboardInterrupt:
        print("ended")
    except (NoKafka, KafkaFailed) as error:
        print(f"kafka: {error}", file=sys.stderr)
        return Code.REFUSED if isinstance(error, NoKafka) else Code.FAULT
    return Code.DONE


def _nodes() -> int:
    parser = argparse.ArgumentParser(prog="kafka", description="A real Apache Kafka on this machine, for tests.")
    parser.add_argument("--nodes", type=int, choices=(1, 3), default=1, help="3: replicated, two have to be in sync")
    return int(parser.parse_args().nodes)


def _announce(cluster: Cluster) -> None:
    print(f"bootstrap servers: {cluster.bootstrap} (from {cluster.origin})")
    for node in cluster.nodes:
        print(f"node {node.id}: port {node.port}, process {node.pid}, log {node.log}")
    print(f"for tests:     {GIVEN}={cluster.bootstrap}")
    print(f"for farandole: FARANDOLE_LOG=kafka://{cluster.bootstrap}")
    print("Ctrl-C ends it, with all that it holds", flush=True)


def _watch(cluster: Cluster) -> None:
    """Until Ctrl-C. Raises KafkaFailed when a node has ended."""
    while True:
        time.sleep(1)
        for node in cluster.nodes:
            if node.pid is None:
                raise KafkaFailed(f"node {node.id} has ended; its log said:\n{node.tail()}")


if __name__ == "__main__":
    sys.exit(main())
