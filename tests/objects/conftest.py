"""The S3 server that the tests here share, and stores on it."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NoReturn

import pytest

from scripts.s3 import S3, NoS3, s3_server

REQUIRE = "FARANDOLE_REQUIRE_S3"  # environment: 1 makes a missing server a failure, as CI does


def without_s3(error: NoS3) -> NoReturn:
    """Skip, saying why; fail with CI or FARANDOLE_REQUIRE_S3=1 set."""
    if os.environ.get("CI") or os.environ.get(REQUIRE) == "1":
        pytest.fail(str(error), pytrace=False)
    pytest.skip(f"\n{'=' * 30} THE OBJECT STORE IS NOT TESTED {'=' * 30}\n{error}")


@pytest.fixture(scope="session")
def shared() -> Iterator[S3]:
    """One a worker. Every test uses a prefix of its own."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(s3_server())
        except NoS3 as error:
            without_s3(error)
        yield found


@pytest.fixture
def s3(shared: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """The server, and our environment set to it."""
    for name, value in shared.environment().items():
        monkeypatch.setenv(name, value)
    return shared
