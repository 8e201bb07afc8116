"""`make bench-scale`: what a hop, a fact, a byte and a commit cost; writes the coefficients of `scripts.scale`.

    python -m tests.bench_scale [--quick] [--out FILE] [--json-file FILE]

`--quick`: one short round, to see that it works; it writes nothing unless `--out` says where. Nothing else should run
meanwhile. Exit codes: 0; 1 where the simulation is further off than it may be; 78 where no Kafka of our own is to be
had (Java and Maven).
"""

import argparse
import json
import signal
import sys
import time
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import apsw
from rich.console import Console

from farandole.cli.codes import Code
from scripts.kafka import NoKafka, kafka_cluster
from scripts.kafka.artifacts import kafka_version
from scripts.proof import commit_here, machine_here
from scripts.scale.coefficients import FILE, Coefficients, save
from scripts.scale.scenes import agreements, astray
from tests.bench_kafka.about import about
from tests.bench_kafka.broker import JAVA_OPTIONS, Broker
from tests.bench_scale import floods, groups, hops, standing, tables
from tests.bench_scale.fitting import Kafka, Measured, coefficients
from tests.bench_scale.meter import Meter
from tests.bench_scale.report import show

REPLICATED = ((4, 2), (16, 2), (4, 8))
"""What is tried on three nodes, of `floods.CASES`."""
WARM = (16, 8)
"""A flood before all that is counted, for a broker that has just started compiles what it does."""
_IDLE = 3.0  # seconds


class Scale(NamedTuple):
    """How much is measured. `share`: of the events; seconds of a rate, and of a flood."""

    rounds: int
    share: float
    fed: float
    flooded: float


def main() -> int:
    """Measure all, fit, show, write."""
    options = _options()
    scale = Scale(1, 0.2, 1.5, 0.7) if options.quick else Scale(3, 1.0, 4.0, 1.5)
    begun = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that no worker is left behind
    try:
        one, three = _alone(scale), _replicated(scale)
    except NoKafka as error:
        sys.stderr.write(f"{error}\n")
        return Code.REFUSED
    one.three = three
    one.folded = tables.folded(int(tables.FACTS * scale.share), scale.rounds)
    found = coefficients(one, _about(begun, options.quick))
    show(found, Console(width=150))
    _write(found, options)
    wrong = astray(agreements(found))
    for each in wrong:
        sys.stderr.write(
            f"{each.what}: {each.measured:,.4g} {each.unit} were measured, simulated {each.simulated:,.4g}\n"
        )
    return 1 if wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works")
    parser.add_argument("--out", type=Path, help="where the coefficients go; by default beside the model")
    parser.add_argument("--json-file", help="write the JSON object there, too")
    return parser.parse_args()


def _write(found: Coefficients, options: argparse.Namespace) -> None:
    out = options.out or (None if options.quick else FILE)
    if out is not None:
        save(found, out)
    report = json.dumps(found.model_dump(mode="json"))
    sys.stdout.write(report + "\n")
    if options.json_file:
        Path(options.json_file).write_text(report + "\n", encoding="utf-8")


def _alone(scale: Scale) -> Measured:
    """On one node: everything but what further copies cost."""
    with kafka_cluster(java_options=JAVA_OPTIONS, origins=("java",)) as cluster:
        found = Measured(Kafka(1), Kafka(3))
        meter = Meter(cluster.nodes)
        with closing(Broker(cluster.bootstrap)) as broker:
            hops.emptied(broker, meter, hops.SIZE, 5_000)  # not counted either
            found.one.idle = _idle(meter)
            ring = floods.Ring(broker)
            floods.flooded(meter, ring, *WARM, scale.flooded)
            for _ in range(scale.rounds):
                _hops(broker, meter, found.one, scale, hops.SIZES)
                found.one.fed += hops.fed(broker, meter, hops.RATES, scale.fed)
                _floods(meter, ring, found.one, scale, floods.CASES)
                found.paced.append(floods.flooded(meter, ring, 1, 2, 2 * scale.flooded, pace=floods.PACE))
                found.grouped.append(groups.grouped(broker, meter, int(groups.BURSTS * scale.share)))
                found.stands += [standing.stands(broker, meter, number) for number in standing.PARTITIONS]
    return found


def _replicated(scale: Scale) -> Kafka:
    """On three, each with a copy of everything."""
    with kafka_cluster(3, java_options=JAVA_OPTIONS, origins=("java",)) as cluster:
        found, meter = Kafka(3), Meter(cluster.nodes)
        with closing(Broker(cluster.bootstrap)) as broker:
            hops.emptied(broker, meter, hops.SIZE, 5_000)
            found.idle = _idle(meter)
            ring = floods.Ring(broker)
            floods.flooded(meter, ring, *WARM, scale.flooded)
            for _ in range(scale.rounds):
                _hops(broker, meter, found, scale, {size: hops.SIZES[size] for size in (200, 2_000)})
                _floods(meter, ring, found, scale, REPLICATED)
    return found


def _hops(broker: Broker, meter: Meter, found: Kafka, scale: Scale, sizes: dict[int, int]) -> None:
    for size, count in sizes.items():
        found.emptied.append(hops.emptied(broker, meter, size, int(count * scale.share)))


def _floods(meter: Meter, ring: floods.Ring, found: Kafka, scale: Scale, cases: tuple[tuple[int, int], ...]) -> None:
    for producers, partitions in cases:
        found.flooded.append(floods.flooded(meter, ring, producers, partitions, scale.flooded))


def _idle(meter: Meter) -> float:
    """Cores of all nodes while nobody asks for anything."""
    before = meter.look()
    time.sleep(_IDLE)
    return meter.look().since(before).each_second().broker


def _about(begun: float, quick: bool) -> dict[str, object]:
    return about(time.monotonic() - begun) | {
        "command": f"python -m tests.bench_scale{' --quick' if quick else ''}",
        "commit": commit_here(),
        "machine": machine_here(),
        "kafka": kafka_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "sqlalchemy": version("sqlalchemy"),
        "settings": {
            "hop": f"farandole run: one service, one process, one partition, journal on; fed with {hops.SIZE} B",
            "brokers": f"java {' '.join(JAVA_OPTIONS)}, C1 only; on loopback, with the services, on the same cores",
            "copies": "three nodes, replication 3, min.insync.replicas 2",
            "tables": "one projector, five steps a workflow; PostgreSQL without fsync",
        },
    }


if __name__ == "__main__":
    sys.exit(main())
