"""What passes by itself is not shouted: the client of a fenced producer writes no line of its own."""

import uuid

import pytest

from farandole.engines.kafka.address import read_address
from farandole.engines.kafka.clients import Clients
from farandole.engines.kafka.transactor import Aborted, Transactor, Unknown
from farandole.log.record import NewRecord
from scripts.kafka import Cluster
from tests.kafka.wire import new_topic

pytestmark = pytest.mark.slow


def test_who_is_fenced_says_so_by_its_call_alone(kafka: Cluster, capfd: pytest.CaptureFixture[str]) -> None:
    """Left to itself, librdkafka writes FATAL to stderr at each of its producers that another has taken over."""
    clients = Clients(read_address(f"kafka://{kafka.bootstrap}/u{uuid.uuid4().hex[:8]}"))
    topic = new_topic(kafka.bootstrap)
    transactor = Transactor(clients, clients.transactional_id("undertones"), lambda _: None)
    write = [(topic, NewRecord(topic, b"one", partition=0))]
    transactor.run(write)
    Transactor(clients, clients.transactional_id("another"), lambda _: None).fence(transactor.id)
    with pytest.raises((Aborted, Unknown), match=r"(?i)fenced"):
        transactor.run(write)
    transactor.run(write)  # under its next id
    assert capfd.readouterr().err == ""
