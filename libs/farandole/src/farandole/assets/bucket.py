"""A bucket through obstore: bounded requests, and what goes wrong there as our errors. Nothing else imports obstore."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import obstore
from obstore import exceptions
from obstore.store import S3Store, from_url

from farandole.assets.access import PREFIX, Access, read_access
from farandole.assets.address import Address
from farandole.events.errors import AssetError, ConfigError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig, S3Credential

PART = 8 * 1024 * 1024
"""Bytes of one request: what is larger is sent in parts, and fetched in ranges, each tried again alone."""
_PARTS = 9_000  # of an upload; S3 takes 10,000
_AT_ONCE = 4
_TIMEOUT = timedelta(seconds=120)  # of one request with its body
_CONNECT = timedelta(seconds=5)
RETRIES: "RetryConfig" = {
    "max_retries": 6,
    "backoff": {"init_backoff": timedelta(seconds=0.2), "max_backoff": timedelta(seconds=5), "base": 2},
    "retry_timeout": timedelta(seconds=30),
}
"""None begins later than 30 s after the first, so no request is under way for longer than 150 s."""
_FRESH = timedelta(minutes=10)  # after that key and secret are read from their files anew
_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_FAILURES = {
    "/latest/api/token": f"is asked without a login, and this machine has no role: set {PREFIX}KEY and {PREFIX}SECRET",
    "dns error": f"has no address: the host in {PREFIX}ENDPOINT is not known",
    "ertificate": f"shows a certificate that is not believed; name the one that is by {PREFIX}CA",
    "TimedOut": "does not answer in time",
    "BadScheme": f"is to be reached by http, which {PREFIX}ENDPOINT does not say",
    "kind: Connect": f"cannot be reached; check {PREFIX}ENDPOINT, and whether it runs",
    "kind: ": "broke the connection off",
}
"""By what stands in obstore's text, the first that does."""


class Found(NamedTuple):
    """An object. `modified`: seconds since the epoch, on the store's clock."""

    key: str
    size: int
    etag: str
    modified: float


class Bucket:
    """The objects below an address. Every method raises AssetError where the store is away or refuses.

    Raises ConfigError where what the environment says is not enough to ask anything.
    """

    def __init__(self, address: Address, retries: "RetryConfig | None" = None) -> None:
        self.url = address.url
        try:
            self._store = _open(address, retries or RETRIES)
        except (exceptions.BaseError, ValueError) as error:
            why = str(error).partition("\n")[0].rpartition("error: ")[2]
            raise ConfigError(f"assets: {address.url} cannot be opened: {why}") from None

    def head(self, key: str) -> Found | None:
        """What is there."""
        with self._asking():
            try:
                return _found(obstore.head(self._store, key))
            except FileNotFoundError:
                return None

    def read_small(self, key: str) -> bytes | None:
        """The whole of an object, in one request."""
        with self._asking():
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except FileNotFoundError:
                return None

    def read(self, found: Found) -> Iterator[bytes]:
        """An object's bytes, as long as it stays what was found."""
        for start in range(0, found.size, PART):
            with self._asking():
                options: Any = {"range": (start, min(start + PART, found.size))}
                if found.etag and not found.etag.startswith("W/"):  # a weak one matches nothing
                    options["if_match"] = f'"{found.etag}"'
                chunk = bytes(obstore.get(self._store, found.key, options=options).bytes())
            yield chunk

    def write(self, key: str, content: bytes) -> None:
        """A small object, whole."""
        with self._asking():
            obstore.put(self._store, key, content)

    def upload(self, key: str, path: Path, size: int) -> str:
        """A file's content, whole or not at all; its ETag. In parts where it is larger than one."""
        part = max(PART, -(-size // _PARTS))
        with self._asking():
            result = obstore.put(self._store, key, path, chunk_size=part, max_concurrency=_AT_ONCE)
        return _bare(result["e_tag"])

    def delete(self, key: str) -> None:
        """Nothing where it is not there."""
        with self._asking():
            try:
                obstore.delete(self._store, key)
            except FileNotFoundError:
                return

    def list(self, prefix: str) -> Iterator[Found]:
        """All objects below a prefix."""
        with self._asking():
            for some in obstore.list(self._store, prefix):
                yield from map(_found, some)

    def look(self) -> None:
        """Raises AssetError where there is no such bucket, or none for us."""
        for _ in self.list("going"):
            return

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except (exceptions.BaseError, OSError) as error:
            raise AssetError(f"{self.url} {_told(str(error))}") from None


def _open(address: Address, retries: "RetryConfig") -> "ObjectStore":
    access = read_access(address)
    options: ClientConfig = {"timeout": _TIMEOUT, "connect_timeout": _CONNECT}
    if access.endpoint.startswith("http://"):
        options["allow_http"] = True
    if access.ca:
        options["root_certificate"] = access.ca
    if address.scheme != "s3":
        return from_url(address.url, client_options=options, retry_config=retries)
    config: Any = {name: text for name, text in (("endpoint", access.endpoint), ("region", access.region)) if text}
    if access.key.get_secret_value():
        config["credential_provider"] = _credentials(address)
    return S3Store(
        address.bucket, prefix=address.prefix or None, client_options=options, retry_config=retries, **config
    )


def _credentials(address: Address) -> Any:
    """So that the secret stands in no configuration, and one that was replaced in its file is taken."""

    def current() -> "S3Credential":
        access: Access = read_access(address)
        return {
            "access_key_id": access.key.get_secret_value(),
            "secret_access_key": access.secret.get_secret_value(),
            "token": None,
            "expires_at": datetime.now(UTC) + _FRESH,
        }

    return current


def _found(meta: Any) -> Found:
    return Found(meta["path"], meta["size"], _bare(meta["e_tag"]), meta["last_modified"].timestamp())


def _bare(etag: str | None) -> str:
    return (etag or "").strip('"')


def _told(text: str) -> str:
    """The texts of obstore are long, and hold what was sent; so only what is known of them is told, with a remedy."""
    code = found[1] if (found := _CODE.search(text)) else ""
    status = found[1] if (found := _STATUS.search(text)) else ""
    said = f"{code or 'HTTP'} {status}".strip()
    if code in ("NoSuchKey", "BlobNotFound"):
        return "has lost an object while it was read; it is looked for again"
    if code == "NoSuchBucket" or status == "404":
        return "does not exist: make the bucket, or correct the setting assets"
    if status in ("401", "403"):
        return f"refuses us ({said}); check {PREFIX}KEY and {PREFIX}SECRET, and what they may do there"
    if status == "412":
        return "changed while it was read; it is read again"
    if status:
        return f"answers with {said}"
    return next((told for mark, told in _FAILURES.items() if mark in text), "fails for a reason that is not known")
