"""From a `kafka:` URL to brokers, namespace and settings; nothing here connects."""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from farandole.events.errors import ConfigError

FORM = "kafka://host:9092[,host:9092…][/namespace][?lease=SECONDS]"
PORT = 9092
LEASE = 6.0
"""Seconds without a heartbeat after which a member's leases are given to others (`session.timeout.ms`)."""
_LEASES = (1.0, 300.0)
_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*")
_OPTIONS = {"lease"}


class Address(NamedTuple):
    """Where a log is on Kafka: `host:port`, comma-separated; what its names begin with, or ""; seconds of a lease."""

    servers: str
    namespace: str
    lease: float


def read_address(url: str) -> Address:
    """Raises ConfigError naming the part and the form that it has to have."""
    parts = urlsplit(url)
    if parts.scheme != "kafka" or not parts.netloc:
        raise ConfigError(f"the log's URL names no broker; write {FORM}")
    if "@" in parts.netloc:
        raise ConfigError("no user or password belongs in the log's URL; it would be seen in logs and process lists")
    servers = ",".join(_server(text) for text in parts.netloc.split(","))
    namespace = unquote(parts.path).strip("/")
    if namespace and not _NAMESPACE.fullmatch(namespace):
        raise ConfigError(
            f"namespace {namespace[:80]!r} in the log's URL: small letters, digits, - _ and . between them"
        )
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if strange := sorted(options.keys() - _OPTIONS):
        raise ConfigError(f"the log's URL has the option {strange[0]!r}; kafka: knows only lease=SECONDS")
    return Address(servers, namespace, _lease(options.get("lease")))


def _server(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon:
        host, port = text, str(PORT)
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError(f"{text[:80]!r} in the log's URL is no broker; write {FORM}")
    return f"{host}:{port}"


def _lease(text: str | None) -> float:
    if text is None:
        return LEASE
    try:
        lease = float(text)
    except ValueError:
        lease = -1.0
    if not _LEASES[0] <= lease <= _LEASES[1]:
        raise ConfigError(f"lease={text[:20]!r} in the log's URL: give {_LEASES[0]:g} to {_LEASES[1]:g} seconds")
    return lease
