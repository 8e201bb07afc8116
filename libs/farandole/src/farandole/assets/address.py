"""What the setting `assets` names: a folder, or a bucket by its URL; nothing here connects."""

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from farandole.events.errors import ConfigError

FORMS = "a folder, file:///folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?=//)|(memory|file|s3|gs|az):", re.IGNORECASE)
_BUCKETS = ("s3", "gs", "az")
_SEGMENT = re.compile(r"[A-Za-z0-9!_.*'()=@+~-]+")


class Address(NamedTuple):
    """A bucket, and what the names of all objects in it begin with: segments with slashes between them, or ""."""

    scheme: str
    bucket: str
    prefix: str

    @property
    def url(self) -> str:
        """As it is written."""
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")


def is_url(text: str) -> bool:
    """Whether it is meant for a URL; a folder whose name looks like one is written as ./name."""
    return _URL.match(text) is not None


def read_address(text: str) -> Path | Address:
    """Raises ConfigError for what can hold no assets; a secret in it is not repeated."""
    if not is_url(text):
        return Path(text)
    parts = urlsplit(text)
    if "@" in parts.netloc:
        raise ConfigError(
            "assets: no user or password belongs in the URL, where logs and process lists show it; set "
            "FARANDOLE_ASSETS_KEY and FARANDOLE_ASSETS_SECRET_FILE"
        )
    if parts.scheme == "memory":
        raise ConfigError(f"assets: memory: would lose all content with its process; give {FORMS}")
    if parts.scheme not in ("file", *_BUCKETS):
        raise ConfigError(f"assets: {parts.scheme[:20]}: holds no assets; give {FORMS}")
    if parts.query or parts.fragment:
        raise ConfigError("assets: the URL has a query or a fragment; what is to be said of a store is said by "
                          "FARANDOLE_ASSETS_* variables")  # fmt: skip
    return _folder(parts.netloc, parts.path) if parts.scheme == "file" else _bucket(parts.scheme, text)


def _folder(host: str, path: str) -> Path:
    if host not in ("", "localhost") or not path.startswith("/"):
        raise ConfigError("assets: a file: URL names no host and an absolute path: file:///mnt/assets")
    return Path(unquote(path))


def _bucket(scheme: str, text: str) -> Address:
    segments = text.partition("://")[2].rstrip("/").split("/")
    for segment in segments:
        if not _SEGMENT.fullmatch(segment) or segment in (".", ".."):
            raise ConfigError(
                f"assets: {scheme}: names a bucket and a prefix, of letters, digits and !_.*'()=@+~- between slashes; "
                f"not {segment[:80]!a}"
            )
    return Address(scheme, segments[0], "/".join(segments[1:]))
