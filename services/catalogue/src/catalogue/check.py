"""Validates a STAC item against the schemas that pystac carries. It never asks the network.

The core schemas (item and all that it refers to, GeoJSON) are bundled with pystac. Those of extensions are
not, so of the extensions only what is declared is checked: each prefix in use must be declared.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft7Validator, FormatChecker
from pystac import Item
from pystac.validation.local_validator import get_local_schema_cache
from referencing import Registry, Resource

_ITEM = "https://schemas.stacspec.org/v1.1.0/item-spec/json-schema/item.json"

_PREFIXES = {"proj": "projection", "file": "file", "raster": "raster"}


class InvalidItem(Exception):
    """The item breaks the specification; the text names each place and what is wrong there."""


def check_item(item: Item) -> str:
    """Return the item as JSON, the same bytes for the same item, or raise InvalidItem."""
    text = json.dumps(item.to_dict(transform_hrefs=False), indent=2, ensure_ascii=False) + "\n"
    flaws = find_flaws(json.loads(text))
    if flaws:
        raise InvalidItem("; ".join(flaws))
    return text


def find_flaws(item: object) -> list[str]:
    """What breaks the specification in an item as it was read from JSON, a sentence each."""
    return [*_core_flaws(item), *(_undeclared(item) if isinstance(item, Mapping) else ())]


def _core_flaws(item: object) -> list[str]:
    schemas = get_local_schema_cache()
    registry: Registry[Any] = Registry().with_resources(
        (uri, Resource.from_contents(schema)) for uri, schema in schemas.items()
    )
    validator = Draft7Validator(schemas[_ITEM], registry=registry, format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(item)]


def _undeclared(item: Mapping[str, object]) -> list[str]:
    declared = str(item.get("stac_extensions"))
    used = {key.partition(":")[0] for key in _keys(item) if ":" in key}
    unknown = [f"prefix {prefix}: is of no extension known here" for prefix in sorted(used - set(_PREFIXES))]
    missing = [
        f"prefix {prefix}: its extension is not declared"
        for prefix in sorted(used & set(_PREFIXES))
        if f"/{_PREFIXES[prefix]}/" not in declared
    ]
    return unknown + missing


def _keys(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield str(key)
            yield from _keys(part)
    elif isinstance(value, list):
        for part in value:
            yield from _keys(part)
