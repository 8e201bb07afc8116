"""Tokens that tell the brokers who we are: from a file that somebody renews, or from an OIDC provider.

Nothing of a token is verified here, which is the brokers' part; only its end is read, to know when to take another.
"""

import base64
import json
import logging
import ssl
import threading
import time
from collections.abc import Callable
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote_plus, urlencode, urlsplit

from pydantic import SecretStr

from farandole.events.errors import ConfigError, LogError, LogUnavailable
from farandole.files import read_secret

ANSWER = 4.0
"""Seconds for a provider to answer."""
FRESH = 0.6
"""Share of its life in which a provider's token is not asked for anew; the client asks after 0.8 of it."""
_LIMIT = 64 * 1024  # bytes of an answer


class Token(NamedTuple):
    """`ends`: seconds since the epoch."""

    text: SecretStr
    ends: float


class Provider(NamedTuple):
    """Who gives tokens for a user and a password, by OAuth's client credentials. `url`: https only."""

    url: str
    user: str
    password: SecretStr
    scope: str
    context: ssl.SSLContext


class Tokens:
    """The token of the moment, for any number of clients and threads."""

    def __init__(self, take: Callable[[], Token], *, fresh: float) -> None:
        self._take, self._fresh = take, fresh
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._until = 0.0

    def get(self) -> Token:
        """One that has not ended; blocking, for seconds at most. Raises LogUnavailable, ConfigError for the file."""
        with self._lock:
            now, last = time.time(), self._token
            if last is not None and now < self._until:
                return last
            try:
                token = self._take()
            except (LogError, ConfigError) as error:
                if last is None or last.ends <= now:
                    raise
                logging.getLogger(__name__).warning("no new token for Kafka, the last one still holds: %s", error)
                return last
            if token.ends <= now:
                raise LogUnavailable(f"the token for Kafka ended {now - token.ends:.0f} s ago; see to what renews it")
            self._token, self._until = token, now + self._fresh * (token.ends - now)
            return token


def tokens_of_file(path: Path, variable: str) -> Tokens:
    """What stands in the file that the variable names, whenever one is wanted: it may be replaced at any time."""

    def take() -> Token:
        text = read_secret(path, variable).strip()
        ends = _end_of(text)
        if ends is None:
            raise ConfigError(f"{variable}: {path} holds no JWT that says when it ends (exp)")
        return Token(SecretStr(text), ends)

    return Tokens(take, fresh=0.0)


def tokens_of_provider(provider: Provider, variable: str) -> Tokens:
    """What the provider gives, kept for a part of its life."""

    def take() -> Token:
        try:
            status, body = _asked(provider)
        except (OSError, HTTPException) as error:
            raise LogUnavailable(
                f"{variable}: {provider.url} gives no token: {type(error).__name__}: {error}; see to it and the network"
            ) from error
        if status != 200:
            raise LogUnavailable(
                f"{variable}: {provider.url} gives user {provider.user!r} no token (HTTP {status}); see to "
                "FARANDOLE_KAFKA_USER, its password and FARANDOLE_KAFKA_TOKEN_SCOPE"
            )
        return _read(body, variable)

    return Tokens(take, fresh=FRESH)


def _asked(provider: Provider) -> tuple[int, bytes]:
    """RFC 6749, 4.4 and 2.3.1. No redirect is followed: the password goes to nobody else."""
    parts = urlsplit(provider.url)
    user, password = quote_plus(provider.user), quote_plus(provider.password.get_secret_value())
    asked = {"grant_type": "client_credentials"} | ({"scope": provider.scope} if provider.scope else {})
    headers = {
        "Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode(),
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    one = HTTPSConnection(parts.hostname or "", parts.port, timeout=ANSWER, context=provider.context)
    try:
        one.request("POST", parts._replace(scheme="", netloc="").geturl() or "/", urlencode(asked), headers)
        answer = one.getresponse()
        return answer.status, answer.read(_LIMIT)
    finally:
        one.close()


def _read(body: bytes, variable: str) -> Token:
    """A provider's answer; what it says is not repeated, for it may hold the token."""
    now = time.time()
    answer = _object(body)
    text, lasts = answer.get("access_token"), answer.get("expires_in")
    if not isinstance(text, str) or not text:
        raise LogUnavailable(f"{variable}: the answer holds no access_token; see to the provider")
    ends = _end_of(text)
    if ends is None and isinstance(lasts, int | float):
        ends = now + lasts
    if ends is None:
        raise LogUnavailable(f"{variable}: the token does not say when it ends (exp, expires_in); see to the provider")
    return Token(SecretStr(text), ends)


def _end_of(text: str) -> float | None:
    """The `exp` of a JWT (RFC 7519, 4.1.4); None where it is none, or says none."""
    parts = text.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
    except ValueError:
        return None
    ends = _object(claims).get("exp")
    return float(ends) if isinstance(ends, int | float) else None


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
