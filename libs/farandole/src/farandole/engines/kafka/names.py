"""Names under a namespace: `scene.received` of the namespace `eo` is the Kafka topic `eo.scene.received`."""

import re

from farandole.events.errors import ConfigError
from farandole.events.topics import ENGINE

_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")


class Names:
    """Translates between the log's names and Kafka's."""

    __slots__ = ("_prefix",)

    def __init__(self, namespace: str) -> None:
        self._prefix = f"{namespace}." if namespace else ""

    def outer(self, name: str) -> str:
        """Kafka's name of a topic or group."""
        return self._prefix + name

    def inner(self, name: str) -> str | None:
        """The log's name of a Kafka topic or group, or None where it belongs to somebody else."""
        if not name.startswith(self._prefix) or name.startswith("__"):
            return None
        inner = name.removeprefix(self._prefix)
        return None if inner.startswith(ENGINE) else inner

    def checked(self, name: str) -> str:
        """Kafka's name of a topic that is to be made. Raises ConfigError where Kafka would not take it."""
        outer = self.outer(name)
        if not _TOPIC.fullmatch(outer) or outer in (".", ".."):
            raise ConfigError(f"{outer!r} is no name for a Kafka topic: at most 249 letters, digits, . _ and -")
        return outer
