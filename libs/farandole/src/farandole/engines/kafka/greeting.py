"""The first word with the brokers: what no repetition mends is said at once, with the remedy and without a secret.

The clients themselves would try again for as long as they are let, and then say only that nobody answered.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.admin import ApiVersionRequest

from farandole.engines.kafka.clients import Clients
from farandole.engines.kafka.logins import for_aiokafka
from farandole.engines.kafka.security import PREFIX
from farandole.events.errors import LogUnavailable

PATIENCE = 5.0
"""Seconds in which brokers may hang up at every word; one that is just starting does so."""
MIDST = 30.0
"""Seconds in which brokers that knew us may refuse us: between one token and the next, or while an issuer is away."""
_ANSWER = 4.0  # seconds for one broker to answer
_PARTING = 0.5  # seconds for a connection to end; where TLS was not agreed on, nobody says that it has
_AGAIN = 0.25


async def greet(clients: Clients) -> None:
    """Return once a broker let us in, or where none listens, which is for others to wait for. Raises LogUnavailable."""
    deadline = time.monotonic() + PATIENCE
    while True:
        strange: Exception | None = None
        for server in clients.address.servers.split(","):
            try:
                async with connection(clients, server) as made:
                    await _taken(clients, server, made)
                    return
            except (KafkaError, ssl.SSLError, ConnectionResetError, EOFError) as error:
                strange = _stranger(clients, server, error)
            except OSError:  # nobody is there (yet)
                continue
        if strange is None:
            return
        if time.monotonic() > deadline:
            raise strange
        await asyncio.sleep(_AGAIN)


async def greet_again(clients: Clients) -> None:
    """Return once a broker lets us in that has refused us in the midst of work. Raises LogUnavailable after `MIDST`."""
    deadline = time.monotonic() + MIDST
    while True:
        try:
            return await greet(clients)
        except LogUnavailable:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(_AGAIN)


async def _taken(clients: Clients, server: str, made: Any) -> None:
    """Who does not take a token says so in a word that aiokafka 0.14 takes for a yes, and refuses the next one."""
    if clients.security.tokens is None:
        return
    answer = await made.send(ApiVersionRequest())
    if answer.error_code:
        raise LogUnavailable(
            f"{server} refuses our token: see to its issuer, audience and end, and to {PREFIX}TOKEN_FILE or "
            f"{PREFIX}TOKEN_URL, {PREFIX}USER and {PREFIX}TOKEN_SCOPE"
        )


@asynccontextmanager
async def connection(clients: Clients, server: str) -> AsyncIterator[Any]:
    """One with a single broker, authenticated. Raises OSError, ssl.SSLError or aiokafka's KafkaError."""
    host, _, port = server.rpartition(":")
    made = _Connection(
        host.strip("[]"),
        int(port),
        client_id=clients.name,
        request_timeout_ms=int(_ANSWER * 1000),
        **for_aiokafka(clients.security),
    )
    patience = _PARTING
    try:
        await made.connect()
        yield made
    except ConnectionRefusedError:  # there is nothing to close
        patience = 0.0
        raise
    finally:
        await _part(made, patience)


class _Connection(AIOKafkaConnection):  # type: ignore[misc]  # it has no types
    """Remembers what aiokafka forgets with `close`: by what a connection can be ended at once."""

    writer: asyncio.StreamWriter | None = None

    def close(self, reason: Any = None, exc: BaseException | None = None) -> Any:
        self.writer = self._writer or self.writer
        return super().close(reason=reason, exc=exc)


async def _part(made: _Connection, patience: float) -> None:
    """Close it; after `patience` without asking the other side, else its socket would outlive the event loop."""
    closed = made.close()
    try:
        await asyncio.wait([closed], timeout=patience)
    finally:  # when cancelled too
        if made.writer is not None and not closed.done():
            made.writer.transport.abort()
            await asyncio.wait([closed], timeout=_PARTING)


def _stranger(clients: Clients, server: str, error: Exception) -> LogUnavailable:
    """Raise what no repetition mends; of the rest, what to say should it go on."""
    security, user = clients.security, clients.security.user
    asked = f"security={security.protocol}"
    if isinstance(error, ssl.SSLCertVerificationError):
        raise LogUnavailable(
            f"{server} is not believed: {error.verify_message}; name the CA that signed its certificate in "
            f"{PREFIX}CA, and the broker in the log's URL as its certificate does"
        ) from error
    if alert := _alert(error):
        if security.cert is None:
            raise LogUnavailable(f"{server} asks for a certificate of ours; set {PREFIX}CERT and {PREFIX}KEY") from None
        raise LogUnavailable(
            f"{server} does not take our certificate ({alert}); name in {PREFIX}CERT and {PREFIX}KEY one that still "
            "holds, signed by a CA that the brokers believe"
        ) from None
    if isinstance(error, SaslAuthenticationFailed):
        raise LogUnavailable(
            f"{server} refuses user {user!r} by {security.mechanism}: see to {PREFIX}USER, {PREFIX}PASSWORD and "
            "mechanism= in the log's URL"
        ) from None
    if isinstance(error, UnsupportedSaslMechanismError):
        raise LogUnavailable(f"{server} does not take mechanism={security.mechanism}; give another in the log's URL")
    if isinstance(error, IllegalSaslStateError):
        raise LogUnavailable(f"{server} asks for no user on this port; leave sasl_ out of {asked} in the log's URL")
    return LogUnavailable(
        f"{server} hangs up at the first word with {asked} ({type(error).__name__}): another security= in the log's "
        f"URL, another port, or a certificate of ours ({PREFIX}CERT) may be asked for"
    )


def _alert(error: Exception) -> str:
    """What the other side says of our certificate in TLS, or ""."""
    cause = error.__cause__ or error.__context__ or error
    reason = (cause.reason or "") if isinstance(cause, ssl.SSLError) else ""
    return reason if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason) else ""
