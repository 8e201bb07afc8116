"""The rehearsals have teeth: each planted defect is caught."""

import os
import subprocess
import sys
from itertools import product

import pytest

from tests.rehearsal.stage import CHAINS, SEEDS, perform, undisturbed
from tests.support.mutants import MUTANTS, planted


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_planted_defect_is_caught(mutant: str) -> None:
    """Within the 200 seeds of one of the choreographies."""
    for chain in CHAINS.values():
        for variant in chain.variants:
            undisturbed(chain.name, variant)
    with planted(mutant):
        for seed, name in product(range(1, SEEDS + 1), ("orders", "earth")):
            if problems := perform(CHAINS[name], seed).problems:
                print(f"{mutant}: {name} seed {seed}: {problems[0]}")
                return
    pytest.fail(f"{mutant} ({MUTANTS[mutant][0]}) passed {SEEDS} seeds of every choreography")


def test_the_command_fails_with_a_defect_and_names_the_replay() -> None:
    """`MUTANT=name python -m tests.rehearsal` ends with 1."""
    argv = [sys.executable, "-m", "tests.rehearsal", "--chain", "orders", "--seeds", "2"]
    environment = os.environ | {"MUTANT": "absence-not-forwarded"}
    run = subprocess.run(argv, check=False, env=environment, capture_output=True, text=True)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "again: " in run.stdout


def test_there_are_at_least_ten_defects() -> None:
    """As many as are asked for."""
    assert len(MUTANTS) >= 10
