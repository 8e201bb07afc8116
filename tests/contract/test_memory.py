"""The memory engine keeps the contract of the log, whatever its seed decides."""

import pytest

from farandole.testing.contract import CASES
from tests.contract.memory_rig import MemoryRig

SEEDS = (None, 1, 2, 3, 4)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", CASES)
def test_the_memory_engine_keeps_the_contract(name: str, seed: int | None) -> None:
    """Every case, on virtual time, without chance and with several seeds."""
    MemoryRig(seed=seed).run(CASES[name])
