"""One node in a Docker container, which testcontainers' reaper ends should this process be killed."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from docker.errors import DockerException
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient, get_docker_host
from testcontainers.core.exceptions import ContainerConnectException, ContainerStartException

from scripts.kafka.artifacts import kafka_version
from scripts.kafka.errors import NoKafka
from scripts.kafka.ready import wait_ready
from scripts.kafka.settings import JAVA_OPTIONS, common, free_ports
from scripts.ports import HOST

IMAGE = "FARANDOLE_KAFKA_IMAGE"  # environment: another image than apache/kafka, with the same entry point
_ENGINE_TIMEOUT = 5  # seconds for an engine to say that it is there
_FAULTS = (DockerException, ContainerStartException, ContainerConnectException, OSError)
_DEFAULT_ENGINE = "unix:///var/run/docker.sock"
_LOCAL = ("localhost", HOST)


@contextmanager
def docker_node(*, config: Mapping[str, str], timeout: float) -> Iterator[str]:
    """The address of a node that answers.

    Raises NoKafka where there is no engine or it does not start the image, KafkaFailed where the node does not answer.
    """
    host = _engine_host()
    port = free_ports(1)[0].client
    container = _container(host, port, config)
    try:
        container.start()
    except _FAULTS as error:
        container.stop()
        raise NoKafka(f"the Docker engine does not start {container.image}: {error}") from error
    try:
        wait_ready(f"{host}:{port}", present=1, timeout=timeout)
        yield f"{host}:{port}"
    finally:
        container.stop()


def _engine_host() -> str:
    """Where the engine publishes ports. Raises NoKafka where none answers."""
    try:
        _knock(get_docker_host() or _DEFAULT_ENGINE)
        engine = DockerClient(timeout=_ENGINE_TIMEOUT)
        try:
            engine.client.ping()
            host = engine.host()
        finally:
            engine.client.close()
    except (DockerException, OSError) as error:
        raise NoKafka(f"no Docker engine answers ({type(error).__name__}: {str(error)[:200]})") from error
    return HOST if host in _LOCAL else host


def _knock(engine: str) -> None:
    """Raises OSError where nobody listens; docker-py would leave a socket open on each such try."""
    scheme, _, path = engine.partition("://")
    if scheme == "unix":
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.settimeout(_ENGINE_TIMEOUT)
            knocking.connect(path)


def _container(host: str, port: int, config: Mapping[str, str]) -> DockerContainer:
    """Published under the port that it listens on, for a broker has to know the address that its clients use."""
    settings = common(1) | {
        "node.id": "1",
        "controller.quorum.voters": "1@localhost:9094",
        "listeners": f"CLIENT://0.0.0.0:{port},BROKER://localhost:9093,CONTROLLER://localhost:9094",
        "advertised.listeners": f"CLIENT://{host}:{port},BROKER://localhost:9093",
    }
    container = DockerContainer(os.environ.get(IMAGE) or f"apache/kafka:{kafka_version()}")
    # On loopback where the engine is on this machine; docker-py takes a pair for that.
    container.ports[f"{port}/tcp"] = (HOST, port) if host == HOST else port  # type: ignore[assignment]  # undeclared
    container.with_envs(**{_variable(name): value for name, value in (settings | dict(config)).items()})
    heap, *tuning = JAVA_OPTIONS
    return container.with_envs(KAFKA_HEAP_OPTS=heap, KAFKA_JVM_PERFORMANCE_OPTS=" ".join(tuning))


def _variable(name: str) -> str:
    """As the image wants a broker setting: `log.dirs` is KAFKA_LOG_DIRS."""
    return "KAFKA_" + name.replace("_", "__").replace("-", "___").replace(".", "_").upper()
