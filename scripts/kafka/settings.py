"""The broker settings of a Kafka for tests, as plain mappings; starts nothing.

Three listeners: CLIENT is what clients get, and all that SASL or TLS would change (through `config`); brokers speak
to one another on BROKER, and to the quorum on CONTROLLER.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scripts.ports import HOST, unused

JAVA_OPTIONS = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one node."""

    client: int
    broker: int
    controller: int


def free_ports(nodes: int) -> list[Ports]:
    """Ports that nobody listens on, on loopback. Raises OSError when a thousand tries do not find enough."""
    found = unused(3 * nodes)
    return [Ports(*found[first : first + 3]) for first in range(0, len(found), 3)]


def common(nodes: int) -> dict[str, str]:
    """What every node of a cluster of `nodes` is told, wherever it runs."""
    in_sync = str(min(nodes, 2))
    replicas = str(nodes)
    return {
        "process.roles": "broker,controller",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "BROKER",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        # what production would have
        "auto.create.topics.enable": "false",
        "unclean.leader.election.enable": "false",
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        # what lets tests be quick: no waiting for members, short sessions, dead transactions swept soon
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "group.consumer.min.session.timeout.ms": "1000",
        "group.consumer.min.heartbeat.interval.ms": "300",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
        # until then the quorum takes a killed node for alive, and refuses its successor
        "broker.session.timeout.ms": "6000",
        "broker.heartbeat.interval.ms": "1000",
        # what keeps it small
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.num.partitions": "4",
        "log.cleaner.dedupe.buffer.size": str(4 << 20),
        "num.network.threads": "2",
        "num.io.threads": "4",
        "background.threads": "2",
    }


def of_node(number: int, ports: Sequence[Ports], advertised: int | None = None) -> dict[str, str]:
    """What node `number` (from 1) of our own cluster is told beside `common`.

    `advertised`: the port that it names to clients, where they are to come through a proxy.
    """
    own = ports[number - 1]
    told = own.client if advertised is None else advertised
    voters = (f"{voter}@{HOST}:{each.controller}" for voter, each in enumerate(ports, 1))
    return {
        "node.id": str(number),
        "controller.quorum.voters": ",".join(voters),
        "listeners": f"CLIENT://{HOST}:{own.client},BROKER://{HOST}:{own.broker},CONTROLLER://{HOST}:{own.controller}",
        "advertised.listeners": f"CLIENT://{HOST}:{told},BROKER://{HOST}:{own.broker}",
    }


def properties(settings: Mapping[str, str]) -> str:
    """As a file of Java properties."""
    return "".join(f"{name}={_escaped(value)}\n" for name, value in settings.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")
