"""Assets in an object store keep the contract of asset stores."""

from pathlib import Path

import pytest

from farandole.testing.asset_contract import CASES
from scripts.s3 import S3
from tests.objects.rig import ObjectRig

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", CASES)
def test_an_object_store_keeps_the_contract(name: str, s3: S3, tmp_path: Path) -> None:
    """Every case, under a prefix of its own."""
    CASES[name](ObjectRig(s3, tmp_path))
