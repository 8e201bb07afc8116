"""Finds a real Kafka: the one that is named, else a Docker engine, else Java and Maven; in this order."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

from scripts.kafka.container import docker_node
from scripts.kafka.errors import KafkaFailed, NoKafka
from scripts.kafka.java import java_nodes
from scripts.kafka.node import START, Node
from scripts.kafka.ready import wait_ready

GIVEN = "FARANDOLE_TEST_KAFKA"  # environment: host:port[,host:port] of a running one
_GIVEN_TIMEOUT = 15.0

Origin = Literal["given", "docker", "java"]
ORIGINS: tuple[Origin, ...] = ("given", "docker", "java")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kafka that answers. `nodes` is empty unless they are ours to stop and kill (origin "java")."""

    bootstrap: str
    origin: Origin
    nodes: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class _Wish:
    nodes: int
    config: Mapping[str, str]
    java_options: Sequence[str]
    timeout: float
    advertised: Mapping[int, int]


@contextmanager
def kafka_cluster(
    nodes: int = 1,
    *,
    config: Mapping[str, str] | None = None,
    java_options: Sequence[str] = (),
    origins: Sequence[Origin] = ORIGINS,
    timeout: float = START,
    advertised: Mapping[int, int] | None = None,
) -> Iterator[Cluster]:
    """A cluster of `nodes` (1, or 3 with replication 3 and min.insync.replicas 2) until the block ends.

    `config`: broker settings beside ours, or instead of them, and `java_options` of the JVM; a given cluster knows
    neither. `origins`: where it may come from; ("java",) for whoever kills nodes. `timeout`: seconds for it to answer,
    downloads not counted. `advertised`: by node, the port that it names to clients, of a proxy before it.
    Raises NoKafka where none is to be had, KafkaFailed where one was found and does not answer.
    """
    wish = _Wish(nodes, config or {}, java_options, timeout, advertised or {})
    with ExitStack() as stack:  # what the block raises must not pass for a source that has nothing
        yield _first(wish, [origin for origin in ORIGINS if origin in origins], stack)


def _first(wish: _Wish, origins: Sequence[Origin], stack: ExitStack) -> Cluster:
    tried = []
    for origin in origins:
        try:
            return stack.enter_context(_SOURCES[origin](wish))
        except NoKafka as error:
            tried.append(f"- {origin}: {error}")
    raise NoKafka("\n".join(["no Apache Kafka for tests; tried", *tried, _REMEDY]))


@contextmanager
def _given(wish: _Wish) -> Iterator[Cluster]:
    bootstrap = os.environ.get(GIVEN, "")
    if not bootstrap:
        raise NoKafka(f"{GIVEN} is not set")
    try:
        wait_ready(bootstrap, present=wish.nodes, timeout=_GIVEN_TIMEOUT)
    except KafkaFailed as error:
        raise KafkaFailed(f"{GIVEN} is set, but {error}") from None
    yield Cluster(bootstrap, "given")


@contextmanager
def _docker(wish: _Wish) -> Iterator[Cluster]:
    if wish.nodes > 1:
        raise NoKafka("one node only")
    with docker_node(config=wish.config, timeout=wish.timeout) as address:
        yield Cluster(address, "docker")


@contextmanager
def _java(wish: _Wish) -> Iterator[Cluster]:
    with java_nodes(
        wish.nodes,
        config=wish.config,
        options=wish.java_options,
        timeout=wish.timeout,
        advertised=wish.advertised,
    ) as nodes:
        yield Cluster(",".join(node.address for node in nodes), "java", nodes)


_SOURCES: Mapping[Origin, Callable[[_Wish], AbstractContextManager[Cluster]]] = {
    "given": _given,
    "docker": _docker,
    "java": _java,
}
_REMEDY = (
    f"Install Java 17 or newer and Maven (on Debian: apt-get install default-jre-headless maven), start a Docker "
    f"engine, or name a running Kafka: {GIVEN}=host:port"
)
