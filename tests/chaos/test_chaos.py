"""A slice of `make chaos` in every run of the tests."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KILLS = 100
SEED = 1


@pytest.mark.chaos
def test_nothing_is_lost_twice_or_out_of_order_whoever_is_killed() -> None:
    """A hundred kills, zombies, writers stopped inside a write and a full disk: the checker finds nothing."""
    command = [sys.executable, "-m", "tests.chaos", "--kills", str(KILLS), "--seed", str(SEED)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}"
