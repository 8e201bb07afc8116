"""Keeps secrets out of what is shown and kept: by the names of fields, by type, in URLs, and by their values."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from pydantic import BaseModel, SecretBytes, SecretStr

HIDDEN = "***"
SHORTEST = 6
"""Characters of a secret whose value is looked for; a shorter one would be found in half of what is written."""

_NAMES = re.compile(
    r"passw|pwd|secret|authorization|credential|cookie|api[_-]?key|private[_-]?key|access[_-]?key|token$",
    re.IGNORECASE,
)
_PLACES = re.compile(r"(file|path|folder|header)$", re.IGNORECASE)
"""Where a secret is to be found is none, and an error that could not name the place would help nobody."""
_USER_INFO = re.compile(r"(?<=://)[^/@\s]+@")
_PASSWORD = re.compile(r"://[^/@:\s]*:([^/@\s]+)@")
_DEEPEST = 6  # below this, values are left out: nobody logs so deep on purpose, and a cycle has no bottom

Hide = Callable[[str], str]


class Secrets:
    """Texts that are not to be repeated, as a process learns them; whoever shows or keeps what others wrote asks it.

    May be used in any thread.
    """

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def learn(self, value: object) -> None:
        """All secrets in a value: settings, a URL, or what holds such."""
        found = {text for text in _secrets(value, 0) if len(text) >= SHORTEST} - self._texts
        if found:
            self._texts |= found
            spelt = {spelling for text in self._texts for spelling in _spellings(text)}
            self._pattern = re.compile("|".join(map(re.escape, sorted(spelt, key=lambda s: (-len(s), s)))))

    def hide(self, text: str) -> str:
        """The text without them, and without user and password in its URLs."""
        pattern = self._pattern
        return hide_logins(text if pattern is None else pattern.sub(HIDDEN, text))


def redacted(fields: Mapping[str, Any], hide: Hide | None = None) -> dict[str, Any]:
    """Fields without what is secret in them; `hide` is applied to every text. What is given stays as it is."""
    return {name: _named(name, value, 0, hide or hide_logins) for name, value in fields.items()}


def hide_logins(text: str) -> str:
    """The text, without user and password in its URLs."""
    return _USER_INFO.sub(f"{HIDDEN}@", text) if "://" in text else text


def _named(name: object, value: object, depth: int, hide: Hide) -> object:
    if isinstance(name, str) and value is not None and _NAMES.search(name):
        return HIDDEN
    return _clean(value, depth, hide)


def _clean(value: object, depth: int, hide: Hide) -> object:
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, SecretStr | SecretBytes):
        return HIDDEN
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _inside(value, depth + 1, hide) if depth < _DEEPEST else HIDDEN
    return value


def _inside(value: Mapping[object, object] | Collection[object], depth: int, hide: Hide) -> object:
    if isinstance(value, Mapping):
        return {name: _named(name, inner, depth, hide) for name, inner in value.items()}
    return [_clean(inner, depth, hide) for inner in value]


def _secrets(value: object, depth: int, *, named: bool = False) -> Iterator[str]:
    """`named`: what holds the value is called a secret."""
    if depth > _DEEPEST:
        return
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, SecretBytes):
        yield value.get_secret_value().decode("utf-8", "replace")
    elif isinstance(value, str):
        yield from [value] if named else _PASSWORD.findall(value)
    elif isinstance(value, BaseModel | Mapping):
        pairs: Iterable[tuple[object, object]] = value if isinstance(value, BaseModel) else value.items()
        for name, inner in pairs:
            yield from _secrets(inner, depth + 1, named=named or _is_secret(name))
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _secrets(inner, depth + 1, named=named)


def _is_secret(name: object) -> bool:
    return isinstance(name, str) and _NAMES.search(name) is not None and _PLACES.search(name) is None


def _spellings(text: str) -> set[str]:
    """As it stands in plain text, in JSON, in a Python literal and in a URL, and in one of them within another one."""
    once = set(_spelt(text))
    return once.union(*map(_spelt, once))


def _spelt(text: str) -> tuple[str, ...]:
    in_url = (quote(text, safe="", errors="surrogatepass"), quote_plus(text, errors="surrogatepass"))
    return (text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1], *in_url)
