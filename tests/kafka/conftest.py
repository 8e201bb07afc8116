"""The Kafka that the tests here share."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from scripts.kafka import Cluster, NoKafka, kafka_cluster
from scripts.kafka.settings import free_ports
from tests.kafka.session import session_kafka, without_kafka

LONG = (
    "test_sla_watcher",
    "test_broker",
    "test_starting",
    "test_tokens",
    "test_long_steps",
    "test_rolling",
    "test_drills",
    "test_demo",
    "test_rights",
    "test_rights_of_the_demo",
    "test_ageing",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes half a minute and more begins first, so that no worker waits for another one in the end."""
    items.sort(key=lambda item: item.path.stem not in LONG)


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


@pytest.fixture(scope="module")
def before() -> Iterator[tuple[Cluster, int]]:
    """A Kafka of a file's own that names a proxy's port to its clients."""
    port = free_ports(1)[0].client
    try:
        with kafka_cluster(origins=("java",), advertised={1: port}) as cluster:
            yield cluster, port
    except NoKafka as error:
        without_kafka(error)
