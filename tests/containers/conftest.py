"""The engine that the tests here share, and the images that are built on it."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from scripts.containers import Base, Engine, NoBase, NoEngine, docker_engine, find_base
from tests.containers.building import Built
from tests.containers.required import without_docker


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """One that runs, else one of our own until the end."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(docker_engine())
        except NoEngine as error:
            without_docker(error)
        yield found


@pytest.fixture(scope="session")
def base(engine: Engine) -> Base:
    """What images begin with where nothing is said: Python 3.13."""
    return _base(engine, "python:3.13-slim")


@pytest.fixture(scope="session")
def older(engine: Engine) -> Base:
    """The oldest Python that is served."""
    return _base(engine, "python:3.11-slim")


def _base(engine: Engine, wanted: str) -> Base:
    try:
        return find_base(engine, wanted)
    except NoBase as error:
        without_docker(error)


@pytest.fixture(scope="session")
def built(engine: Engine, base: Base, older: Base) -> Iterator[Built]:
    """Images by service and Python, each built once, when it is first asked for."""
    found = Built(engine, {"3.13": base, "3.11": older})
    yield found
    found.remove()
