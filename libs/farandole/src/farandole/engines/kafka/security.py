"""Who we are to the brokers, and whom we believe: from the log's URL and the environment to both clients' settings.

The URL says how (`?security=…&mechanism=…`), the environment says who; a secret stands in neither URL nor file of
ours, and this module neither shows nor stores one. The broker's certificate and host name are always verified.
"""

import logging
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from farandole.engines.kafka.address import Address
from farandole.events.errors import BadInput, ConfigError
from farandole.files import read_regular, read_secret

PREFIX = "FARANDOLE_KAFKA_"
VARIABLES = tuple(
    PREFIX + name for name in ("USER", "PASSWORD", "PASSWORD_FILE", "CA", "CERT", "KEY", "KEY_PASSWORD",
                               "KEY_PASSWORD_FILE")
)  # fmt: skip
"""What is read from the environment; an empty one counts as not set."""

Config = dict[str, Any]
_NO_SECRET = SecretStr("")


@dataclass(frozen=True, slots=True)
class Security:
    """How to speak to the brokers. `ca`, `cert` and `key` are PEM files; without `ca` the system's are believed."""

    protocol: str = "plaintext"
    mechanism: str = ""
    user: str = ""
    password: SecretStr = _NO_SECRET
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    key_password: SecretStr = _NO_SECRET

    @property
    def tls(self) -> bool:
        """Whether what is said is encrypted."""
        return self.protocol.endswith("ssl")


def read_security(address: Address, environment: Mapping[str, str] | None = None) -> Security:
    """What the URL asks for, with what the environment (default: this process's) gives to it.

    Raises ConfigError naming the variable: for what is missing, what would be given in vain, and files that are not
    what they should be.
    """
    given = {n: t for n, t in (os.environ if environment is None else environment).items() if n in VARIABLES and t}
    _refuse_the_unused(address, given)
    security = Security(
        address.security,
        address.mechanism,
        user=given.get(f"{PREFIX}USER", ""),
        password=_secret(given, "PASSWORD"),
        ca=_path(given, "CA"),
        cert=_path(given, "CERT"),
        key=_path(given, "KEY"),
        key_password=_secret(given, "KEY_PASSWORD"),
    )
    if address.mechanism:
        for name, value in (("USER", security.user), ("PASSWORD", security.password.get_secret_value())):
            if not value:
                raise ConfigError(f"security={address.security} in the log's URL needs {PREFIX}{name}; set it")
    if security.tls:
        tls_context(security)  # what is wrong with the files is said before anybody connects
    return security


def for_confluent(security: Security) -> Config:
    """The settings of confluent-kafka's clients."""
    if security.protocol == "plaintext":
        return {}
    config: Config = {"security.protocol": security.protocol.upper()}
    if security.mechanism:
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
        config |= {
            "sasl_mechanism": security.mechanism,
            "sasl_plain_username": security.user,
            "sasl_plain_password": security.password.get_secret_value(),
        }
    return config | ({"ssl_context": tls_context(security)} if security.tls else {})


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


def _untold(line: logging.LogRecord) -> bool:
    """At DEBUG each request is told as it is, the password of a login by PLAIN included."""
    return line.levelno > logging.DEBUG


def _believing(ca: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError:
        raise ConfigError(f"{PREFIX}CA: {ca} holds no certificate in PEM") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _refuse_the_unused(address: Address, given: Mapping[str, str]) -> None:
    """Who sets a password or a CA means it to be used; saying nothing would send in the clear what they protect."""
    sasl = {f"{PREFIX}{name}" for name in ("USER", "PASSWORD", "PASSWORD_FILE")}
    for name in sorted(given):
        if name in sasl and not address.mechanism:
            raise ConfigError(f"{name} is set, but the log's URL names no user: add ?security=sasl_ssl, or unset it")
        if name not in sasl and not address.security.endswith("ssl"):
            raise ConfigError(f"{name} is set, but the log's URL asks for no TLS: add ?security=ssl, or unset it")
    if (f"{PREFIX}CERT" in given) != (f"{PREFIX}KEY" in given):
        raise ConfigError(f"{PREFIX}CERT and {PREFIX}KEY go together; set both, or neither")


def _secret(given: Mapping[str, str], name: str) -> SecretStr:
    plain, by_file = f"{PREFIX}{name}", f"{PREFIX}{name}_FILE"
    if by_file not in given:
        return SecretStr(given.get(plain, ""))
    if plain in given:
        raise ConfigError(f"{plain} and {by_file} are both set; unset one of them")
    return SecretStr(read_secret(Path(given[by_file]), by_file))


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
