"""The SQLite engine keeps the contract of the log."""

from pathlib import Path

import pytest

from farandole.testing.contract import CASES
from tests.contract.sqlite_rig import SqliteRig


@pytest.mark.parametrize("name", CASES)
def test_the_sqlite_engine_keeps_the_contract(name: str, tmp_path: Path) -> None:
    """Every case, on a fresh file and the machine's clock."""
    SqliteRig(tmp_path / "log.db").run(CASES[name])
