"""The Kafka engine keeps the contract of the log, on a real Kafka; each handle is a process of its own."""

import uuid

import pytest

from farandole.engines.kafka.transactor import POINTS
from farandole.testing.contract import CASES
from scripts.kafka.cluster import Cluster
from tests.contract.process_rig import ProcessRig

LEASE = 2.0

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", CASES)
def test_the_kafka_engine_keeps_the_contract(name: str, kafka: Cluster) -> None:
    """Every case, in a namespace of its own."""
    url = f"kafka://{kafka.bootstrap}/c{uuid.uuid4().hex[:8]}?lease={LEASE:g}"
    # preloaded: the engine, and the defect that the environment may name
    rig = ProcessRig(url, lease_seconds=LEASE, crash_points=POINTS, preload=["tests.chaos_kafka.planted"])
    rig.run(CASES[name])
