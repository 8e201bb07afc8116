"""`make demo LOG=kafka`: the same ten services, unchanged, to the same pixels."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest
import rasterio

from ingest.sensors import load_sensors
from scripts.kafka import Cluster
from tests.support.plain_chain import demo_scene, run_chain

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")]

ROOT = Path(__file__).parents[2]
LIMIT = 240  # seconds that one run may take on a busy machine


def test_the_demonstration_on_kafka_gives_the_pixels_of_the_plain_loop(kafka: Cluster, tmp_path: Path) -> None:
    """Through a Kafka that is given; every delivery ends, and every pixel is the plain loop's."""
    plain = run_chain(demo_scene(), load_sensors()["sentinel-2-l1c"], tmp_path / "plain", tiled=True)
    url = f"kafka://{kafka.bootstrap}/demo{uuid.uuid4().hex[:6]}"
    done = subprocess.run(
        [sys.executable, "-m", "scripts.demo", "--folder", str(tmp_path / "demo"), "--log", url, "--json"],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shape = json.loads(done.stdout)
    assert (shape["status"], shape["tiles"], shape["valid"]) == ("complete", 18, True)
    assert {step["done"] for step in shape["steps"].values()} == {1, 18}
    with rasterio.open(Path(shape["product"]) / "product.tif") as ours, rasterio.open(plain.product) as theirs:
        assert np.array_equal(ours.read(), theirs.read())
    assert not list((tmp_path / "demo").glob("*.db"))
