"""The member's thread against the client's own ways: what it raises in a callback, and what it no longer knows."""

import threading
import time
import uuid

import pytest
from confluent_kafka import KafkaError, Message
from confluent_kafka.admin import AdminClient, NewTopic

from farandole.engines.kafka.address import read_address
from farandole.engines.kafka.clients import Clients
from farandole.engines.kafka.member import Member
from scripts.kafka import Cluster

pytestmark = pytest.mark.slow

PATIENCE = 30.0


class Listener:
    """Hears everything, and lets go of everything at once; `mishap`: raised when partitions are given."""

    def __init__(self, mishap: Exception | None = None) -> None:
        self.given, self.gone = threading.Event(), threading.Event()
        self.failures: list[KafkaError] = []
        self.failing = threading.Event()
        self._mishap = mishap

    def assigned(self, partitions: list[int]) -> None:
        """Some came."""
        if self._mishap is not None:
            raise self._mishap
        self.given.set()

    def revoked(self, partitions: list[int]) -> threading.Event:
        """Let go of at once."""
        self.gone.set()
        return self.gone

    def lost(self, partitions: list[int]) -> None:
        """Gone."""
        self.gone.set()

    def let_go(self, partitions: list[int]) -> None:
        """Given up."""
        self.gone.set()

    def came(self, messages: list[Message]) -> None:
        """None is sent here."""

    def ended(self, topic: str, partition: int, offset: int) -> None:
        """Nothing is there."""

    def strayed(self, topic: str, partition: int) -> None:
        """Nothing is fetched here."""

    def failed(self, error: KafkaError) -> None:
        """Remember it."""
        self.failures.append(error)
        self.failing.set()


def joined(kafka: Cluster, listener: Listener) -> Member:
    """A member of a new group on a new topic of two partitions, started."""
    topic = f"m{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(PATIENCE)
    clients = Clients(read_address(f"kafka://{kafka.bootstrap}/m?lease=2"))
    member = Member(lambda: clients.member(f"{topic}-group", 30.0), [topic], listener, budget=60.0)
    member.start()
    return member


def test_a_member_that_leaves_asks_nothing_of_a_group_that_has_ended(
    kafka: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given back, its partitions end the group in the client; this wins the race for it."""
    unassign = Member._unassign

    def slowly(self: Member, partitions: list[int]) -> None:
        unassign(self, partitions)
        time.sleep(0.2)

    monkeypatch.setattr(Member, "_unassign", slowly)
    listener = Listener()
    member = joined(kafka, listener)
    assert listener.given.wait(PATIENCE)
    member.stop()
    assert listener.gone.is_set()
    assert listener.failures == []


def test_what_a_callback_raises_ends_the_subscription_under_its_own_name(kafka: Cluster) -> None:
    """Also an exception that C code raised, which the client would hand on broken."""
    listener = Listener(RuntimeError("the listener fell ill"))
    member = joined(kafka, listener)
    assert listener.failing.wait(PATIENCE)
    member.stop()
    assert "the listener fell ill" in listener.failures[0].str()
