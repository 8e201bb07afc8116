"""The part of JSON Schema (2020-12) that a contract may use, in one normal form; nothing is ever fetched.

Normal form: every `$ref` replaced by what it names, no titles (they would be names of code), no
`additionalProperties: false` (a later revision may add fields, so no reader may refuse them), `oneOf` as `anyOf`,
`const` as `enum`, alternatives and lists of names sorted. So equal contracts are equal JSON.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Never

from farandole.events.errors import BadInput
from farandole.events.patterns import risk

Schema = dict[str, Any]
"""A JSON Schema as Python's JSON."""

Refuse = Callable[[str, str], BadInput]
"""Makes the error for a field (its path, empty for the whole) and a reason."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DEPTH_LIMIT = 32
_SAFE_INTEGER = 2**53 - 1  # as in data: beyond it readers differ
NODE_LIMIT = 5000  # of a schema whose references are replaced; they can double at every level

TYPES = frozenset(("null", "boolean", "integer", "number", "string", "array", "object"))
COMPUTED = "x-computed"
"""Keyword of ours: the field is written and never read back."""

ANNOTATIONS = frozenset(("description", "default", "examples", "deprecated", "readOnly", COMPUTED))
COUNTS = frozenset(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"))
BOUNDS = frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"))
EXACT = frozenset(("pattern", "format", "contentEncoding", "contentMediaType"))
RULES = "x-rules"
"""Keyword of ours: an object of constraints that JSON Schema has no word for (`contract` writes it)."""

_STRUCTURE = frozenset(
    "type enum anyOf properties required additionalProperties propertyNames items prefixItems uniqueItems".split()
)
_DROPPED = frozenset(("title", "$comment"))
_ROOT = frozenset(("$schema", "$id", "x-farandole"))
_ALLOWED = ANNOTATIONS | COUNTS | BOUNDS | EXACT | _STRUCTURE | {RULES}


def normal(schema: object, refuse: Refuse) -> Schema:
    """`schema` in normal form, its root's `$schema` and `x-farandole` kept. Raises what `refuse` makes.

    Refused: a `$ref` to anything but this schema's own `$defs`, recursion (an event is bounded: who reads it must
    be able to hold it, and flat tables to show it), patterns that are not safe everywhere, keywords that the gate
    could not compare, and sizes beyond reason.
    """
    if not isinstance(schema, dict):
        raise refuse("", "a schema is a JSON object")
    definitions = schema.get("$defs", {})
    if not isinstance(definitions, dict):
        raise refuse("", "$defs is a JSON object")
    root = {name: value for name, value in schema.items() if name in _ROOT}
    if root.get("$schema", DIALECT) != DIALECT:
        raise refuse("", f"$schema is not {DIALECT}")
    rest = {name: value for name, value in schema.items() if name not in _ROOT and name != "$defs"}
    return {**root, **_Reader(definitions, refuse).read(rest, "", ())}


def canonical(schema: object) -> str:
    """The one text of a JSON value: names sorted, two blanks of indentation, a line feed at the end."""
    return json.dumps(schema, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


class _Reader:
    """One walk through one schema."""

    def __init__(self, definitions: Mapping[str, Any], refuse: Refuse) -> None:
        self._definitions = definitions
        self._refuse_with = refuse
        self._nodes = 0

    def read(self, node: object, field: str, within: tuple[str, ...] = (), depth: int = 0) -> Schema:
        """The normal form of one node; `within`: the definitions that it stands in."""
        self._nodes += 1
        if self._nodes > NODE_LIMIT:
            self._refuse("", f"more than {NODE_LIMIT} parts once its references are replaced")
        if depth > DEPTH_LIMIT:
            self._refuse(field, f"more than {DEPTH_LIMIT} levels deep")
        if node is True:
            return {}
        if not isinstance(node, dict):
            self._refuse(field, "a schema is a JSON object")
        if "$ref" in node:
            return self._reference(node, field, within, depth)
        found, tag = _spelled_alike(node)
        self._check(found, field)
        self._read_parts(found, field, within, depth + 1)
        if "anyOf" in found:
            variants = [self.read(variant, field, within, depth + 1) for variant in found["anyOf"]]
            found["anyOf"] = _alternatives(variants, tag)
        return found

    def _read_parts(self, found: Schema, field: str, within: tuple[str, ...], depth: int) -> None:
        for name, step in _STEPS.items():
            if name in found:
                found[name] = self.read(found[name], f"{field}{step}", within, depth)
        if "prefixItems" in found:
            parts = enumerate(found["prefixItems"])
            found["prefixItems"] = [self.read(part, f"{field}[{at}]", within, depth) for at, part in parts]
        if "properties" in found:
            found["properties"] = {
                name: self.read(part, f"{field}.{name}".lstrip("."), within, depth)
                for name, part in found["properties"].items()
            }
        if not _is_text(found.get("propertyNames", {"type": "string"})):
            self._refuse(field, "the names in a JSON object are text; declare the keys as str, int or an enum of str")

    def _reference(self, node: Schema, field: str, within: tuple[str, ...], depth: int) -> Schema:
        ref = node["$ref"]
        if not isinstance(ref, str) or not ref.startswith("#"):
            self._refuse(field, f"$ref {str(ref)[:80]!r} is not fetched; copy what it names into $defs")
        name = ref.removeprefix("#/$defs/").replace("~1", "/").replace("~0", "~")
        if name in within or ref == "#":
            self._refuse(field, "it contains itself; give ids of other events, or put the tree into an asset")
        if not ref.startswith("#/$defs/") or name not in self._definitions:
            self._refuse(field, f"$ref {ref[:80]!r} names nothing in $defs")
        beside = {key: value for key, value in node.items() if key != "$ref" and key not in _DROPPED}
        if beside.keys() - ANNOTATIONS:
            self._refuse(field, "only a description or a default may stand beside $ref")
        return {**self.read(self._definitions[name], field, (*within, name), depth + 1), **beside}

    def _check(self, found: Schema, field: str) -> None:
        unknown = sorted(found.keys() - _ALLOWED)
        if unknown:
            self._refuse(field, f"keyword {unknown[0][:80]!r} is not understood, so no reader could be checked")
        for name, value in found.items():
            wrong = _wrong(name, value)
            if wrong:
                self._refuse(field, f"{name}: {wrong}")
        constraints = found.keys() - ANNOTATIONS
        if "anyOf" in found and constraints != {"anyOf"}:
            self._refuse(field, "constraints beside alternatives; put them into each")
        if "enum" in found and not constraints <= {"enum", "type"}:
            self._refuse(field, "constraints beside a list of values")
        if constraints and "type" not in found and not constraints & {"anyOf", "enum"}:
            self._refuse(field, f"{min(constraints)} without a type")
        absent = set(found.get("required", ())) - found.get("properties", {}).keys()
        if absent:
            self._refuse(field, f"requires {min(absent)!r}, which is not among its properties")

    def _refuse(self, field: str, why: str) -> Never:
        raise self._refuse_with(field, why)


def _spelled_alike(node: Schema) -> tuple[Schema, str | None]:
    """One spelling of what has several; and the name that tells tagged alternatives apart."""
    found = {name: value for name, value in node.items() if name not in _DROPPED}
    tag = found.pop("discriminator", None)
    if "oneOf" in found and "anyOf" not in found:
        found["anyOf"] = found.pop("oneOf")
    if "const" in found and "enum" not in found:
        found["enum"] = [found.pop("const")]
    if found.get("additionalProperties") is False:
        del found["additionalProperties"]
    if found.get("items") is False:
        del found["items"]
        found.setdefault("maxItems", len(found.get("prefixItems", ())))
    if isinstance(found.get("type"), list):
        kinds = found.pop("type")
        notes = {name: found.pop(name) for name in ANNOTATIONS & found.keys()}
        found = {"anyOf": [{**found, "type": kind} for kind in kinds], **notes}
    if isinstance(found.get("enum"), list):
        found["enum"] = sorted(found["enum"], key=canonical)
    if isinstance(found.get("required"), list):
        found["required"] = sorted(found["required"], key=str)
    return found, tag.get("propertyName") if isinstance(tag, dict) else None


def _alternatives(variants: list[Schema], tag: str | None) -> list[Schema]:
    """Flat, without repeats, sorted; a tag is always there, or readers could not choose."""
    flat: dict[str, Schema] = {}
    for variant in variants:
        for one in variant.get("anyOf", [variant]):
            if tag is not None and tag in one.get("properties", {}):
                one["required"] = sorted({*one.get("required", ()), tag})
            flat[canonical(one)] = one
    return [flat[text] for text in sorted(flat)]


def _wrong(name: str, value: Any) -> str | None:
    """What is wrong with the value of a keyword, if anything."""
    if name == "pattern":
        return risk(value) if isinstance(value, str) else "not text"
    rule = _RULES.get(name)
    return None if rule is None or rule[0](value) else f"not {rule[1]}"


def _is_text(names: Schema) -> bool:
    if "anyOf" in names:
        return all(map(_is_text, names["anyOf"]))
    return names.get("type") == "string" or ("enum" in names and all(isinstance(v, str) for v in names["enum"]))


def _is_number(value: Any) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) <= _SAFE_INTEGER
    return isinstance(value, float)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value) and len(set(value)) == len(value)


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(COUNTS, (_is_count, "a count")),
    **dict.fromkeys(BOUNDS, (_is_number, "a number, or beyond ±(2^53-1)")),
    **dict.fromkeys(("description", "format"), (lambda v: isinstance(v, str), "text")),
    **dict.fromkeys(("readOnly", "deprecated", "uniqueItems", COMPUTED), (lambda v: isinstance(v, bool), "a boolean")),
    **dict.fromkeys(("enum", "anyOf"), (lambda v: isinstance(v, list) and len(v) > 0, "a list of some values")),
    "multipleOf": (lambda v: _is_number(v) and v > 0, "a number above 0"),
    "type": (lambda v: isinstance(v, str) and v in TYPES, "a type of JSON"),
    "required": (_is_names, "a list of different names"),
    **dict.fromkeys(("properties", RULES), (lambda v: isinstance(v, dict), "an object")),
    "prefixItems": (lambda v: isinstance(v, list), "a list"),
}
_STEPS = {"items": "[]", "additionalProperties": ".*", "propertyNames": "(names)"}
