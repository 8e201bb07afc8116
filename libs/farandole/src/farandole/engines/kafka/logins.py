"""The settings by which both clients show the brokers who we are; a secret goes from here to them, and nowhere else."""

import asyncio
import logging
from typing import Any

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

from farandole.engines.kafka.security import Security, tls_context
from farandole.engines.kafka.tokens import Tokens
from farandole.events.errors import FarandoleError

Config = dict[str, Any]


def for_confluent(security: Security) -> Config:
    """The settings of confluent-kafka's clients."""
    if security.protocol == "plaintext":
        return {}
    config: Config = {"security.protocol": security.protocol.upper()}
    if (tokens := security.tokens) is not None:
        # Called on a thread of the client's own, so also for a producer that nobody asks for anything.
        config |= {"sasl.mechanism": security.mechanism, "oauth_cb": lambda _: _for_callback(tokens)}
    elif security.mechanism:
        config |= {
            "sasl.mechanism": security.mechanism,
            "sasl.username": security.user,
            "sasl.password": security.password.get_secret_value(),
        }
    if security.tls:
        config |= {"enable.ssl.certificate.verification": True, "ssl.endpoint.identification.algorithm": "https"}
        files = {"ca": security.ca, "certificate": security.cert, "key": security.key}
        config |= {f"ssl.{name}.location": str(path) for name, path in files.items() if path is not None}
        if password := security.key_password.get_secret_value():
            config["ssl.key.password"] = password
    return config


def for_aiokafka(security: Security) -> Config:
    """The settings of aiokafka's clients and connections, whose log lines no longer tell what they send."""
    config: Config = {"security_protocol": security.protocol.upper()}
    if security.mechanism:
        logging.getLogger("aiokafka.conn").addFilter(_untold)  # once, however often it is added
    if security.tokens is not None:
        config |= {"sasl_mechanism": security.mechanism, "sasl_oauth_token_provider": _Given(security.tokens)}
    elif security.mechanism:
        config |= {
            "sasl_mechanism": security.mechanism,
            "sasl_plain_username": security.user,
            "sasl_plain_password": security.password.get_secret_value(),
        }
    return config | ({"ssl_context": tls_context(security)} if security.tls else {})


def _untold(line: logging.LogRecord) -> bool:
    """At DEBUG each request is told as it is, the password of a login by PLAIN included."""
    return line.levelno > logging.DEBUG


def _for_callback(tokens: Tokens) -> tuple[str, float]:
    """What confluent-kafka wants. What it raises, the client tells nobody; it asks again after 10 s."""
    try:
        token = tokens.get()
    except FarandoleError as error:
        logging.getLogger(__name__).warning("no token for Kafka: %s", error)
        raise
    return token.text.get_secret_value(), token.ends


class _Given(AbstractTokenProvider):  # type: ignore[misc]  # it has no types
    """What aiokafka wants."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def token(self) -> str:
        """Raises KafkaConnectionError, which passes by itself."""
        try:
            return (await asyncio.to_thread(self._tokens.get)).text.get_secret_value()
        except FarandoleError as error:
            raise KafkaConnectionError(str(error)) from error
