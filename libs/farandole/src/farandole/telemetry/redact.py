"""Keeps secrets out of log lines, by the names of their fields, by their type, and in the URLs that hold them."""

import re
from collections.abc import Collection, Mapping, MutableMapping
from typing import Any

from pydantic import SecretBytes, SecretStr

HIDDEN = "***"
_NAMES = re.compile(
    r"passw|pwd|secret|authorization|credential|cookie|api[_-]?key|private[_-]?key|access[_-]?key|token$",
    re.IGNORECASE,
)
_USER_INFO = re.compile(r"(?<=://)[^/@\s]+@")
_DEEPEST = 6  # below this, values are left out: nobody logs so deep on purpose, and a cycle has no bottom


def redact(_: object, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor; the mapping that it is given stays as it is."""
    return {name: _named(name, value, 0) for name, value in fields.items()}


def hide_logins(text: str) -> str:
    """The text, without user and password in its URLs."""
    return _USER_INFO.sub(f"{HIDDEN}@", text) if "://" in text else text


def _named(name: object, value: object, depth: int) -> object:
    if isinstance(name, str) and value is not None and _NAMES.search(name):
        return HIDDEN
    return _clean(value, depth)


def _clean(value: object, depth: int) -> object:
    if isinstance(value, str):
        return hide_logins(value)
    if isinstance(value, SecretStr | SecretBytes):
        return HIDDEN
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _inside(value, depth + 1) if depth < _DEEPEST else HIDDEN
    return value


def _inside(value: Mapping[object, object] | Collection[object], depth: int) -> object:
    if isinstance(value, Mapping):
        return {name: _named(name, inner, depth) for name, inner in value.items()}
    return [_clean(inner, depth) for inner in value]
