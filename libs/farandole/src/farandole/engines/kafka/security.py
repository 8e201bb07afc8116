"""Who we are to the brokers, and whom we believe: as the log's URL and the environment say it.

The URL says how (`?security=…&mechanism=…`), the environment says who; a secret stands in neither URL nor file of
ours, and this module neither shows nor stores one. The broker's certificate and host name are always verified.
"""

import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from farandole.engines.kafka.address import OAUTHBEARER, Address
from farandole.engines.kafka.tokens import Provider, Tokens, tokens_of_file, tokens_of_provider
from farandole.events.errors import BadInput, ConfigError
from farandole.files import given_secret, read_regular

PREFIX = "FARANDOLE_KAFKA_"
VARIABLES = tuple(
    PREFIX + name for name in ("USER", "PASSWORD", "PASSWORD_FILE", "CA", "CERT", "KEY", "KEY_PASSWORD",
                               "KEY_PASSWORD_FILE", "TOKEN_FILE", "TOKEN_URL", "TOKEN_SCOPE")
)  # fmt: skip
"""What is read from the environment; an empty one counts as not set."""

_NO_SECRET = SecretStr("")
_USER = {f"{PREFIX}{name}" for name in ("USER", "PASSWORD", "PASSWORD_FILE")}
_TOKEN = {f"{PREFIX}{name}" for name in ("TOKEN_FILE", "TOKEN_URL", "TOKEN_SCOPE")}


@dataclass(frozen=True, slots=True)
class Security:
    """How to speak to the brokers. `ca`, `cert` and `key` are PEM files; without `ca` the system's are believed.

    `tokens`: instead of a password, for OAUTHBEARER.
    """

    protocol: str = "plaintext"
    mechanism: str = ""
    user: str = ""
    password: SecretStr = _NO_SECRET
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    key_password: SecretStr = _NO_SECRET
    tokens: Tokens | None = None

    @property
    def tls(self) -> bool:
        """Whether what is said is encrypted."""
        return self.protocol.endswith("ssl")


def read_security(address: Address, environment: Mapping[str, str] | None = None) -> Security:
    """What the URL asks for, with what the environment (default: this process's) gives to it.

    Raises ConfigError naming the variable: for what is missing, what would be given in vain, and files that are not
    what they should be; LogUnavailable where no token is to be had now.
    """
    found = os.environ if environment is None else environment
    given = {name: text for name, text in found.items() if name.startswith(PREFIX) and text}
    if strange := sorted(given.keys() - set(VARIABLES)):
        raise ConfigError(
            f"{strange[0]} is no setting; unset it: the client's are fixed to what is safe, but for who we are"
        )
    _refuse_the_unused(address, given)
    security = Security(
        address.security,
        address.mechanism,
        user=given.get(f"{PREFIX}USER", ""),
        password=given_secret(given, f"{PREFIX}PASSWORD"),
        ca=_path(given, "CA"),
        cert=_path(given, "CERT"),
        key=_path(given, "KEY"),
        key_password=given_secret(given, f"{PREFIX}KEY_PASSWORD"),
    )
    if address.mechanism and address.mechanism != OAUTHBEARER:
        _need(address, given, ("USER", "PASSWORD"))
    if security.tls:
        tls_context(security)  # what is wrong with the files is said before anybody connects
    if address.mechanism == OAUTHBEARER:
        security = replace(security, tokens=_tokens(security, address, given))
    return security


def tls_context(security: Security) -> ssl.SSLContext:
    """Verifies certificate and host name. Raises ConfigError naming the variable whose file is of no use."""
    context = _believing(security.ca)
    if security.cert is not None:
        try:
            # Called for an encrypted key only; without it OpenSSL would ask at the terminal.
            context.load_cert_chain(security.cert, security.key, security.key_password.get_secret_value)
        except (ssl.SSLError, ValueError):  # its text tells nothing, and may hold what it stumbled over
            raise ConfigError(
                f"{PREFIX}CERT and {PREFIX}KEY ({security.cert}, {security.key}) are no certificate and its key in "
                f"PEM, or {PREFIX}KEY_PASSWORD does not open the key"
            ) from None
    return context


def _believing(ca: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError:
        raise ConfigError(f"{PREFIX}CA: {ca} holds no certificate in PEM") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _refuse_the_unused(address: Address, given: Mapping[str, str]) -> None:
    """Who sets a password or a CA means it to be used; saying nothing would send in the clear what they protect."""
    for name in sorted(given):
        if name in _TOKEN and address.mechanism != OAUTHBEARER:
            raise ConfigError(
                f"{name} is set, but the log's URL asks for no token: add ?security=sasl_ssl&mechanism={OAUTHBEARER}, "
                "or unset it"
            )
        if name in _USER and not address.mechanism:
            raise ConfigError(f"{name} is set, but the log's URL names no user: add ?security=sasl_ssl, or unset it")
        if name not in _USER | _TOKEN and not address.security.endswith("ssl"):
            raise ConfigError(f"{name} is set, but the log's URL asks for no TLS: add ?security=ssl, or unset it")
    if (f"{PREFIX}CERT" in given) != (f"{PREFIX}KEY" in given):
        raise ConfigError(f"{PREFIX}CERT and {PREFIX}KEY go together; set both, or neither")


def _need(address: Address, given: Mapping[str, str], names: Sequence[str]) -> None:
    for name in names:
        if not given.keys() & {f"{PREFIX}{name}", f"{PREFIX}{name}_FILE"}:
            asks = f"security={address.security}&mechanism={address.mechanism}"
            raise ConfigError(f"{asks} in the log's URL needs {PREFIX}{name}; set it")


def _tokens(security: Security, address: Address, given: Mapping[str, str]) -> Tokens:
    """From the file, or from the provider; the first one is taken at once, so that what is wrong is said."""
    by_file, by_url, scope = (f"{PREFIX}TOKEN_{name}" for name in ("FILE", "URL", "SCOPE"))
    if by_file in given:
        if more := sorted(given.keys() & (_USER | _TOKEN) - {by_file}):
            raise ConfigError(f"{by_file} and {more[0]} are both set; unset one of them")
        tokens = tokens_of_file(Path(given[by_file]).absolute(), by_file)
    elif by_url in given:
        _need(address, given, ("USER", "PASSWORD"))
        parts = urlsplit(given[by_url])
        if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc:
            raise ConfigError(f"{by_url} is no https:// URL of a provider; the password would be read on its way")
        context = _believing(None)
        if security.ca is not None:
            context.load_verify_locations(security.ca)
        provider = Provider(given[by_url], security.user, security.password, given.get(scope, ""), context)
        tokens = tokens_of_provider(provider, by_url)
    else:
        raise ConfigError(
            f"mechanism={OAUTHBEARER} in the log's URL needs {by_file}, or {by_url} with {PREFIX}USER and its password"
        )
    tokens.get()
    return tokens


def _path(given: Mapping[str, str], name: str) -> Path | None:
    variable = f"{PREFIX}{name}"
    if variable not in given:
        return None
    path = Path(given[variable]).absolute()
    try:
        read_regular(path, what=variable)
    except BadInput as error:
        raise ConfigError(str(error)) from error
    return path
