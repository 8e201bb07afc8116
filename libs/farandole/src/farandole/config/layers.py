"""Layers of settings, the stronger first: merging them, and moving the places that they name."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from farandole.assets.address import is_url

Keys = tuple[str, ...]
"""A setting's name, one part a level."""

_SQLITE = "sqlite:///"
_PLACES = ("archive", "assets", "asset_cache", "scratch", "schemas")
_URLS = ("log", "store")
_LISTS = ("roots", "path")


class Layer(NamedTuple):
    """What one source says. `origin`: how it names itself, with `{}` for the field."""

    origin: str
    values: dict[str, Any]


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """All layers as one; of what several say, the first one's."""
    result: dict[str, Any] = {}
    for layer in reversed(layers):
        result = _over(layer.values, result)
    return result


def blamed(layers: Sequence[Layer], keys: Keys) -> Layer | None:
    """The strongest layer that says anything at `keys`, or at the nearest level above."""
    for depth in range(len(keys), 0, -1):
        for layer in layers:
            if _has(layer.values, keys[:depth]):
                return layer
    return None


def rebased(values: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """The same settings with relative places made absolute; what is of the wrong type is left for validation."""
    result = dict(values)
    for name in _PLACES:
        if isinstance(result.get(name), str | Path) and str(result[name]):
            result[name] = _rebased_place(result[name], base)
    for name in _LISTS:
        found = result.get(name)
        if isinstance(found, str):
            found = [part for part in found.split(os.pathsep) if part]
        if isinstance(found, list | tuple) and all(isinstance(part, str | Path) for part in found):
            result[name] = [_absolute(part, base) for part in found]
    for name in _URLS:
        if isinstance(result.get(name), str):
            result[name] = rebased_url(result[name], base)
    return result


def rebased_url(url: str, base: Path) -> str:
    """A `sqlite:///` URL with its path made absolute; every other URL as it is."""
    rest = url.removeprefix(_SQLITE)
    if rest == url or rest.startswith(("/", ":")) or not rest:
        return url
    path, mark, query = rest.partition("?")
    return f"{_SQLITE}{_absolute(path, base)}{mark}{query}"


def _rebased_place(place: str | Path, base: Path) -> str:
    """Where a folder is meant, or a store's URL may stand instead."""
    return place if isinstance(place, str) and is_url(place) else _absolute(place, base)


def _absolute(path: str | Path, base: Path) -> str:
    return os.path.abspath(base / path)


def _over(upper: Mapping[str, Any], lower: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(lower)
    for name, value in upper.items():
        below = result.get(name)
        result[name] = _over(value, below) if isinstance(value, dict) and isinstance(below, dict) else value
    return result


def _has(values: Any, keys: Keys) -> bool:
    for key in keys:
        if not isinstance(values, Mapping) or key not in values:
            return False
        values = values[key]
    return True
