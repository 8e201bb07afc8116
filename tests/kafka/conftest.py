"""The Kafka that the tests here share."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from scripts.kafka import Cluster, NoKafka
from tests.kafka.session import session_kafka, without_kafka


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One a run, whatever the number of workers. Every test uses topics of its own."""
    base = tmp_path_factory.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # what the workers of one run share
    with ExitStack() as stack:
        try:
            cluster = stack.enter_context(session_kafka(folder))
        except NoKafka as error:
            without_kafka(error)
        yield cluster
