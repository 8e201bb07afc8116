"""A cluster of our own on Java: KRaft, combined mode, loopback, in a folder that goes with it."""

import base64
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

from farandole.runtime.guarded import Guard
from scripts.kafka import settings
from scripts.kafka.artifacts import find_jars, find_java
from scripts.kafka.errors import KafkaFailed
from scripts.kafka.node import Node
from scripts.program import swept_folder

_TRIES = 3
_LOGGING = Path(__file__).with_name("log4j2.properties")


@contextmanager
def java_nodes(
    count: int, *, config: Mapping[str, str], options: Sequence[str], timeout: float, advertised: Mapping[int, int]
) -> Iterator[tuple[Node, ...]]:
    """`count` nodes that answer. Raises NoKafka where Java or the jars are not to be had, KafkaFailed."""
    java = (find_java(), *settings.JAVA_OPTIONS, *options)
    java += (f"-Dlog4j2.configurationFile={_LOGGING.as_uri()}", "-cp", f"{find_jars()}/*")
    with swept_folder("kafka") as folder, closing(Guard()) as guard:
        for tries_left in reversed(range(_TRIES)):
            place = folder / f"{tries_left}"
            place.mkdir()
            nodes = _formatted(count, config, advertised, java=java, folder=place, guard=guard)
            try:
                if _are_up(nodes, timeout, tries_left):
                    yield nodes
                    return
            finally:
                for node in nodes:
                    node.kill()


def _are_up(nodes: Sequence[Node], timeout: float, tries_left: int) -> bool:
    """Whether all answer; not where somebody took a port of theirs first, and it can be tried again."""
    for node in nodes:
        node.launch()
    try:
        for node in nodes:
            node.wait({each.id for each in nodes}, timeout, fellows=nodes)
    except KafkaFailed:
        if tries_left and any(node.found_its_port_taken for node in nodes):
            return False
        raise
    return True


def _formatted(
    count: int,
    config: Mapping[str, str],
    advertised: Mapping[int, int],
    *,
    java: Sequence[str],
    folder: Path,
    guard: Guard,
) -> tuple[Node, ...]:
    ports = settings.free_ports(count)
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")

    def made(number: int) -> Node:
        place = folder / f"node-{number}"
        node = Node(number, ports[number - 1], java=java, folder=place, guard=guard)
        own = settings.of_node(number, ports, advertised.get(number))
        node.format(settings.common(count) | own | dict(config), cluster_id)
        return node

    with ThreadPoolExecutor(count) as pool:
        return tuple(pool.map(made, range(1, count + 1)))
