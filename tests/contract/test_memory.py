"""The memory engine keeps the contract of the log, whatever its seed decides."""

import pytest

from farandole.testing.contract import CASES
from tests.contract.memory_rig import MemoryRig

IN_REAL_TIME = [
    "idle.waiting_costs_nothing",
    "idle.a_poll_ends_when_its_time_is_up",
    "reading.a_waiting_member_is_woken",
    "takeover.a_killed_member_is_replaced",
    "fencing.a_stopped_member_is_fenced",
    "crash.a_crash_between_commits_leaves_a_prefix",
]


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("name", CASES)
def test_the_memory_engine_keeps_the_contract(name: str, seed: int | None) -> None:
    """Every case, on virtual time, without chance and with several seeds."""
    MemoryRig(seed=seed).run(CASES[name])


@pytest.mark.parametrize("name", IN_REAL_TIME)
def test_the_memory_engine_keeps_the_contract_on_an_ordinary_loop(name: str) -> None:
    """On the machine's clock too; among them the case that measures what waiting costs."""
    MemoryRig(real_time=True, lease=0.5).run(CASES[name])
