"""The contract of asset stores as cases that any store's tests run through an `AssetRig`; it names no store."""

from collections.abc import Mapping
from typing import Final

from farandole.testing.asset_contract import putting, reading, removing
from farandole.testing.asset_contract.rig import Case

CASES: Final[Mapping[str, Case]] = {
    f"{idea}.{case.__name__}": case
    for idea, cases in {"putting": putting.CASES, "reading": reading.CASES, "removing": removing.CASES}.items()
    for case in cases
}
"""Every case by its name, `idea.sentence`."""
