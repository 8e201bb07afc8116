"""A slice of `make chaos-kafka`, as a test: `pytest tests/chaos_kafka -m chaos`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.kafka import NoKafka
from tests.chaos_kafka.__main__ import NO_KAFKA
from tests.chaos_kafka.diary import KILL
from tests.kafka.session import without_kafka

ROOT = Path(__file__).resolve().parents[2]
PLAN = {"kills": 100, "brokers": 14, "network": 40, "seed": 1}


@pytest.mark.chaos
def test_nothing_is_lost_twice_or_out_of_order_whoever_fails() -> None:
    """A hundred kills of services, ten of brokers, and other faults of these and the network: nothing is found."""
    plan = (f"--{name}={value}" for name, value in PLAN.items())
    command = [sys.executable, "-m", "tests.chaos_kafka", *plan, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1500, check=False)
    if done.returncode == NO_KAFKA:
        without_kafka(NoKafka(done.stderr))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}"
    faults = json.loads(done.stdout)["faults"]
    assert (faults["kill"], faults[KILL]) == (100, 10)
