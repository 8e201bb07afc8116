"""From a `kafka:` URL to brokers, namespace and settings; nothing here connects."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from farandole.events.errors import ConfigError

FORM = "kafka://host:9092[,host:9092…][/namespace][?lease=SECONDS]"
SECURITIES = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")
OAUTHBEARER = "OAUTHBEARER"
MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", OAUTHBEARER)
"""How a user shows who they are; the first where the URL does not say."""
PORT = 9092
LEASE = 6.0
"""Seconds without a heartbeat after which a member's leases are given to others (`session.timeout.ms`)."""
_LEASES = (1.0, 300.0)
_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*")
_OPTIONS = ("lease", "security", "mechanism")


class Address(NamedTuple):
    """Where a log is on Kafka: `host:port`, comma-separated; what its names begin with, or ""; seconds of a lease.

    `security`: one of SECURITIES; `mechanism`: one of MECHANISMS, or "" where no user is asked for.
    """

    servers: str
    namespace: str
    lease: float
    security: str = "plaintext"
    mechanism: str = ""


def read_address(url: str) -> Address:
    """Raises ConfigError naming the part and the form that it has to have."""
    parts = urlsplit(url)
    if parts.scheme != "kafka" or not parts.netloc:
        raise ConfigError(f"the log's URL names no broker; write {FORM}")
    if "@" in parts.netloc:
        raise ConfigError(
            "no user or password belongs in the log's URL, where logs and process lists show it; set "
            "FARANDOLE_KAFKA_USER and FARANDOLE_KAFKA_PASSWORD_FILE, and say ?security=sasl_ssl"
        )
    servers = ",".join(_server(text) for text in parts.netloc.split(","))
    namespace = unquote(parts.path).strip("/")
    if namespace and not _NAMESPACE.fullmatch(namespace):
        raise ConfigError(
            f"namespace {namespace[:80]!r} in the log's URL: small letters, digits, - _ and . between them"
        )
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if strange := sorted(options.keys() - set(_OPTIONS)):
        raise ConfigError(_strange(strange[0]))
    return Address(servers, namespace, _lease(options.get("lease")), *_security(options))


def _strange(option: str) -> str:
    remedy = "what else the client can do is set to what is safe"
    if any(word in option.lower() for word in ("password", "secret", "token", "user")):
        remedy = (
            "set FARANDOLE_KAFKA_USER and FARANDOLE_KAFKA_PASSWORD_FILE (or FARANDOLE_KAFKA_TOKEN_FILE) for a login"
        )
    return (
        f"the log's URL has the option {option[:80]!r}; leave it out: kafka: knows only {', '.join(_OPTIONS)}; {remedy}"
    )


def _security(options: Mapping[str, str]) -> tuple[str, str]:
    security = options.get("security", "plaintext").lower()
    if security not in SECURITIES:
        raise ConfigError(f"security={security[:20]!r} in the log's URL: give one of {', '.join(SECURITIES)}")
    if not security.startswith("sasl"):
        if "mechanism" in options:
            raise ConfigError("mechanism= in the log's URL is for a user: add security=sasl_ssl, or leave it out")
        return security, ""
    mechanism = options.get("mechanism", MECHANISMS[0]).upper()
    if mechanism not in MECHANISMS:
        raise ConfigError(f"mechanism={mechanism[:20]!r} in the log's URL: give one of {', '.join(MECHANISMS)}")
    if security == "sasl_plaintext" and mechanism in ("PLAIN", OAUTHBEARER):
        sent = "token" if mechanism == OAUTHBEARER else "password"
        raise ConfigError(
            f"mechanism={mechanism} would send the {sent} readable; use security=sasl_ssl, or SCRAM-SHA-512"
        )
    return security, mechanism


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
