"""A real Kafka is there, can be killed and comes back, and leaves nothing behind."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from confluent_kafka import KafkaException

from scripts.kafka import Cluster, Origin, kafka_cluster, settings
from scripts.ports import HOST
from tests.kafka.wire import exists, new_topic, read, topic_settings, write

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
_OURS: tuple[Origin, ...] = ("java",)


def _eventually(true: Callable[[], bool], *, timeout: float = 20.0) -> bool:
    deadline = time.monotonic() + timeout
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_a_committed_record_comes_back(kafka: Cluster) -> None:
    """Transactions, their coordinator and a read_committed reader work on whatever Kafka was found."""
    topic = new_topic(kafka.bootstrap)
    write(kafka.bootstrap, topic, [b"one", b"two"])
    assert read(kafka.bootstrap, topic, 2) == [b"one", b"two"]


def test_a_topic_that_nobody_declared_is_not_made_by_asking_for_it(kafka: Cluster) -> None:
    """A typing error must not make a topic. The second look comes when the first could have made it."""
    assert not exists(kafka.bootstrap, "never.created")
    time.sleep(0.5)
    assert not exists(kafka.bootstrap, "never.created")


def test_a_killed_node_comes_back_on_its_port_with_its_data() -> None:
    """SIGKILL, then start: same address, same records; the process is another one."""
    with kafka_cluster(origins=_OURS) as cluster:
        (node,) = cluster.nodes
        topic = new_topic(cluster.bootstrap)
        write(cluster.bootstrap, topic, [b"before"])
        # Until its marker is written a commit hangs on this one node; see Node.kill.
        assert read(cluster.bootstrap, topic, 1) == [b"before"]
        port, pid = node.port, node.pid
        assert pid is not None
        node.kill()
        assert node.pid is None
        assert not psutil.pid_exists(pid)
        node.start()
        assert (node.port, node.pid != pid) == (port, True)
        write(cluster.bootstrap, topic, [b"after"])
        assert read(cluster.bootstrap, topic, 2) == [b"before", b"after"]


def test_three_nodes_bear_the_loss_of_one_and_refuse_writes_without_two() -> None:
    """Replication 3 and min.insync.replicas 2: what is acknowledged lies on two disks."""
    with kafka_cluster(3, origins=_OURS) as cluster:
        topic = new_topic(cluster.bootstrap, replicas=3)
        assert topic_settings(cluster.bootstrap, topic)["min.insync.replicas"] == "2"
        write(cluster.bootstrap, topic, [b"by three"])
        first, second, third = cluster.nodes
        first.kill()
        write(cluster.bootstrap, topic, [b"by two"])
        second.stop()
        with pytest.raises(KafkaException):
            write(cluster.bootstrap, topic, [b"by one"], timeout=8)
        second.start()
        first.start()
        third.kill()
        assert read(cluster.bootstrap, topic, 2) == [b"by three", b"by two"]


def test_a_port_that_somebody_took_first_costs_a_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look for a port and the JVM that listens there, seconds pass."""
    with socket.create_server((HOST, 0)) as somebody:
        asked = itertools.count()

        def ports(nodes: int) -> list[settings.Ports]:
            found = free_ports(nodes)
            return found if next(asked) else [*found[:-1], replace(found[-1], broker=somebody.getsockname()[1])]

        free_ports = settings.free_ports
        monkeypatch.setattr(settings, "free_ports", ports)
        with kafka_cluster(3, origins=_OURS) as cluster:
            assert {node.id for node in cluster.nodes if node.pid is not None} == {1, 2, 3}
        assert next(asked) == 2


def test_nothing_is_left_behind_when_its_starter_is_killed(tmp_path: Path) -> None:
    """SIGKILL of whoever started a Kafka ends its JVM and its guard, and removes its data."""
    command = [sys.executable, "-m", "scripts.kafka"]
    environment = os.environ | {"TMPDIR": str(tmp_path), "DOCKER_HOST": "tcp://127.0.0.1:9"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        for line in starter.stdout:
            if line.startswith("bootstrap servers: "):
                break
        started = psutil.Process(starter.pid).children(recursive=True)
        try:
            assert any(process.name() == "java" for process in started)
            assert list(tmp_path.glob("farandole-kafka-*/*/node-1/data"))
        finally:
            starter.send_signal(signal.SIGKILL)
    assert _eventually(lambda: not any(process.is_running() for process in started))
    assert _eventually(lambda: not list(tmp_path.iterdir()))
