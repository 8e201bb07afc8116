"""What the contract suite finds of a planted defect: a case that fails with it, passes without it, and fails again.

A case that failed for the machine's sake would else pass for a find.
"""

import os
import re
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from tests.chaos_kafka.planted import MUTANT

ROOT = Path(__file__).resolve().parents[2]
SUITE = "tests/kafka/test_contract.py"
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+::\S+\[[^\]]+\])", re.MULTILINE)
_RAN = (0, 1)  # pytest: all passed, some failed


def found_by_contract(defect: str) -> str:
    """In a few words; nothing where the suite lets the defect pass."""
    planted = os.environ | {MUTANT: defect}
    healthy = {name: value for name, value in os.environ.items() if name != MUTANT}
    code, suspects = _failing([SUITE], planted)
    if not suspects:
        return f"could not be run: pytest ended with {code}" if code else ""
    control, flaky = _failing(suspects, healthy)
    if control not in _RAN:
        return f"could not be run without the defect: pytest ended with {control}"
    sound = sorted(set(suspects) - set(flaky))
    again = _failing(sound, planted)[1] if sound else []
    confirmed = ", ".join(case_of(test) for test in again)
    sys.stderr.write(f"failed: {suspects}; without the defect: {flaky}; again with it: {again}\n")
    return f"has found {defect} by {confirmed}" if confirmed else ""


def failed_tests(said: str) -> list[str]:
    """Their ids, as pytest's summary names them."""
    return sorted(set(_FAILED.findall(said)))


def case_of(test: str) -> str:
    """The contract's case of a test's id."""
    return test.partition("[")[2].removesuffix("]")


def _failing(tests: Collection[str], environment: Mapping[str, str]) -> tuple[int, list[str]]:
    """Pytest's exit code, and what failed; of the whole suite the first failure ends it."""
    options: Sequence[str] = ("-q", "-x", "-m", "slow", "-n", "2", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", *tests, *options]
    done = subprocess.run(command, check=False, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=dict(environment))
    sys.stderr.write(done.stdout)
    return done.returncode, failed_tests(done.stdout)
