"""Which Kafka is run, and its jars. Starts no broker."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from scripts import jars
from scripts.kafka.errors import NoKafka

T = TypeVar("T")

SERVER = jars.Server("Kafka", "kafka", Path(__file__).with_name("pom.xml"), "kafka.version", "kafka_*.jar")


def kafka_version() -> str:
    """The version that `pom.xml` pins, which is the image's tag too."""
    return jars.pinned(SERVER)


def find_java() -> str:
    """The path of `java`, 17 or newer: of JAVA_HOME, else of PATH. Raises NoKafka."""
    return _or_no_kafka(jars.find_java)


def find_jars() -> Path:
    """The folder of the broker's jars; made on the first call on this machine. Raises NoKafka."""
    return _or_no_kafka(lambda: jars.find_jars(SERVER))


def _or_no_kafka(find: Callable[[], T]) -> T:
    try:
        return find()
    except jars.NoJars as error:
        raise NoKafka(str(error)) from error
