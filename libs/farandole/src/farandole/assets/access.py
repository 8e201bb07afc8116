"""Who we are to the store that holds the assets, as the environment says it; a secret stands in no URL or file of ours.

What is not said here is the provider's own business: its variables, the roles of machines and of service accounts.
"""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from farandole.assets.address import Address
from farandole.events.errors import BadInput, ConfigError
from farandole.files import given_secret, read_regular

PREFIX = "FARANDOLE_ASSETS_"
VARIABLES = tuple(PREFIX + name for name in ("ENDPOINT", "REGION", "KEY", "KEY_FILE", "SECRET", "SECRET_FILE", "CA"))
"""What is read from the environment; an empty one counts as not set."""

_NO_SECRET = SecretStr("")
_THEIRS = {"gs": "GOOGLE_*", "az": "AZURE_*"}
_SECRETS_OF_PROVIDERS = (
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_CLIENT_SECRET",
    "AZURE_STORAGE_SAS_KEY", "GOOGLE_SERVICE_ACCOUNT_KEY",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Access:
    """How to speak to the store; what is empty is as the provider's own environment says."""

    endpoint: str = ""
    region: str = ""
    key: SecretStr = _NO_SECRET
    secret: SecretStr = _NO_SECRET
    ca: bytes = b""


def read_access(address: Address | Path, environment: Mapping[str, str] | None = None) -> Access:
    """What the environment (default: this process's) says. Files are read anew with each call.

    Raises ConfigError naming the variable: for what is missing, what would be given in vain, and files that are not
    what they should be.
    """
    given = _given(environment)
    if strange := sorted(given.keys() - set(VARIABLES)):
        raise ConfigError(f"{strange[0]} is no setting; unset it; there are {', '.join(VARIABLES)}")
    _refuse_the_unused(address, given)
    key, secret = given_secret(given, f"{PREFIX}KEY"), given_secret(given, f"{PREFIX}SECRET")
    if bool(key.get_secret_value()) != bool(secret.get_secret_value()):
        raise ConfigError(f"{PREFIX}KEY and {PREFIX}SECRET (or their _FILE) go together; set both, or neither")
    return Access(
        _endpoint(given.get(f"{PREFIX}ENDPOINT", "")), given.get(f"{PREFIX}REGION", ""), key, secret, _ca(given)
    )


def secrets_given(environment: Mapping[str, str] | None = None) -> list[SecretStr]:
    """What is not to be repeated of what the environment says, in a provider's own variables too."""
    found = os.environ if environment is None else environment
    given = _given(environment)
    theirs = [SecretStr(found[name]) for name in _SECRETS_OF_PROVIDERS if found.get(name)]
    return [*theirs, given_secret(given, f"{PREFIX}SECRET")]


def _given(environment: Mapping[str, str] | None) -> dict[str, str]:
    found = os.environ if environment is None else environment
    return {name: text for name, text in found.items() if name.startswith(PREFIX) and text}


def _refuse_the_unused(address: Address | Path, given: Mapping[str, str]) -> None:
    """Who says who we are to a store means one; without a word, content would go elsewhere."""
    for name in sorted(given):
        if isinstance(address, Path):
            raise ConfigError(f"{name} is set, but assets lie in the folder {address}; name a bucket, or unset it")
        if address.scheme in _THEIRS:
            theirs = _THEIRS[address.scheme]
            raise ConfigError(f"{name} is set, but is for s3: alone; unset it, and set {theirs} for {address.scheme}:")


def _endpoint(text: str) -> str:
    if not text:
        return ""
    parts = urlsplit(text)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError(f"{PREFIX}ENDPOINT holds more than a host, a port and a path; a login goes into {PREFIX}KEY")
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ConfigError(
            f"{PREFIX}ENDPOINT is no https:// URL; write https://host:port, or http://host:port where nobody can listen"
        )
    return text.rstrip("/")


def _ca(given: Mapping[str, str]) -> bytes:
    variable = f"{PREFIX}CA"
    if variable not in given:
        return b""
    try:
        content = read_regular(Path(given[variable]), what=variable)
        ssl.create_default_context(cadata=content.decode("ascii"))
    except BadInput as error:
        raise ConfigError(str(error)) from error
    except (ssl.SSLError, ValueError):
        raise ConfigError(f"{variable}: {given[variable]} holds no certificate in PEM") from None
    return content
