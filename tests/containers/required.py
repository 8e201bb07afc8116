"""Where no Docker engine is to be had: a loud skip, and a failure where it is required."""

import os
from typing import NoReturn

import pytest

REQUIRE = "FARANDOLE_REQUIRE_DOCKER"  # environment: 1 makes a missing engine a failure, as CI does


def without_docker(error: Exception) -> NoReturn:
    """Skip, saying why; fail with CI or FARANDOLE_REQUIRE_DOCKER=1 set."""
    if os.environ.get("CI") or os.environ.get(REQUIRE) == "1":
        pytest.fail(str(error), pytrace=False)
    pytest.skip(f"\n{'=' * 30} THE CONTAINERS ARE NOT TESTED {'=' * 30}\n{error}")
