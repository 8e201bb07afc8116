"""The contract of an event class as JSON Schema: what its publisher writes, and what a consumer's view takes.

Both are in normal form (see `subset`), so they can be compared. Rules in Python code (validators) have no form in
a schema: no gate can see them.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from pydantic import PydanticUserError, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticSerializationError, core_schema, to_jsonable_python

from farandole.events.compatibility import MARK, check_view
from farandole.events.edge import check_interoperable
from farandole.events.errors import DeclarationError, DecodeError
from farandole.events.event import Event
from farandole.events.subset import COMPUTED, DIALECT, RULES, Schema, canonical, normal

_LIMITS = ("ge", "gt", "le", "lt")
_NUMERIC = GenerateJsonSchema.ValidationsMapping.numeric


def schema_of(event: type[Event]) -> Schema:
    """What the publisher of `event` writes. A field with a default counts as one that may be absent.

    Raises DeclarationError naming class and field where there is no such schema, or where the class could not
    read back what it writes.
    """
    written = _document(event, "serialization")
    lost = check_view(view_of(event), written)
    if lost:
        raise _refused(event, lost[0].field, f"the event cannot read what it writes: {lost[0].why}")
    return written


def view_of(event: type[Event]) -> Schema:
    """What `event` takes when it is read. Raises DeclarationError naming class and field."""
    return _document(event, "validation")


def _document(event: type[Event], mode: Literal["serialization", "validation"]) -> Schema:
    declared = getattr(event, "event_type", None)
    if declared is None:
        raise _refused(event, "", "it is no event type")
    try:
        generated = event.model_json_schema(mode=mode, schema_generator=_Generator)
        schema = json.loads(json.dumps(generated, allow_nan=False))
    except (PydanticUserError, ValueError) as error:
        why = str(error).partition("\n")[0]
        raise _refused(event, _culprit(event, mode), f"no contract can hold it: {why}") from error
    mark = {"type": declared.name, "version": declared.version, "key": declared.key, "final": declared.final}

    def refuse(field: str, why: str) -> DeclarationError:
        return _refused(event, field, why)

    document = normal({**schema, "$schema": DIALECT, MARK: mark}, refuse)
    try:
        check_interoperable(canonical(document).encode())
    except DecodeError as error:
        raise _refused(event, "", str(error)) from error
    return document


def _culprit(event: type[Event], mode: Literal["serialization", "validation"]) -> str:
    """The first field that has no schema by itself, or nothing."""
    for name, field in event.model_fields.items():
        try:
            alone: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, field])  # type: ignore[arg-type]  # a form
            alone.json_schema(mode=mode, schema_generator=_Generator)
        except (PydanticUserError, ValueError):
            return name
    return ""


def _refused(event: type[Event], field: str, why: str) -> DeclarationError:
    return DeclarationError(f"{event.__module__}.{event.__qualname__}{f', field {field}' if field else ''}: {why}")


class _Generator(GenerateJsonSchema):
    """pydantic's schemas, with the constraints that it leaves out: each under `x-rules`, by pydantic's name."""

    def emit_warning(self, kind: str, detail: str) -> None:
        """A contract that lacks something is none."""
        raise PydanticInvalidForJsonSchema(detail)

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """A model, its fields named as it writes or reads them."""
        with self._names_of(schema):
            return super().model_schema(schema)

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        """A dataclass, its fields named as it writes or reads them."""
        with self._names_of(schema):
            return super().dataclass_schema(schema)

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        """A typed dictionary, its fields named as it writes or reads them."""
        with self._names_of(schema):
            return super().typed_dict_schema(schema)

    @contextmanager
    def _names_of(self, schema: Mapping[str, Any]) -> Iterator[None]:
        """One choice between names and aliases is pydantic's; writing and reading follow each class's own."""
        outer, config = self.by_alias, schema.get("config", {})
        writing = self.mode == "serialization"
        self.by_alias = config.get("serialize_by_alias", False) if writing else config.get("validate_by_alias", True)
        try:
            yield
        finally:
            self.by_alias = outer

    def is_subclass_schema(self, schema: core_schema.IsSubclassSchema) -> JsonSchemaValue:
        """A class cannot be written."""
        return self.handle_invalid_for_json_schema(schema, "a class")

    def computed_field_schema(self, schema: core_schema.ComputedField) -> JsonSchemaValue:
        """A computed field, marked: it is written and never read back."""
        return {**super().computed_field_schema(schema), COMPUTED: True}

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        """Text; trimming counts where a length or pattern is checked after it."""
        trimmed = ("strip_whitespace",) if schema.keys() & {"min_length", "pattern"} else ()
        return _with_rules(super().str_schema(schema), schema, "ascii_only", *trimmed)

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:
        """A time, with its bounds and whether it has a zone."""
        return _with_rules(super().datetime_schema(schema), schema, "tz_constraint", *_LIMITS)

    def date_schema(self, schema: core_schema.DateSchema) -> JsonSchemaValue:
        """A date, with its bounds."""
        return _with_rules(super().date_schema(schema), schema, *_LIMITS)

    def time_schema(self, schema: core_schema.TimeSchema) -> JsonSchemaValue:
        """A time of day, with its bounds and whether it has a zone."""
        return _with_rules(super().time_schema(schema), schema, "tz_constraint", *_LIMITS)

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        """A duration, with its bounds."""
        return _with_rules(super().timedelta_schema(schema), schema, *_LIMITS)

    def uuid_schema(self, schema: core_schema.UuidSchema) -> JsonSchemaValue:
        """A UUID, with its version."""
        return _with_rules(super().uuid_schema(schema), schema, "version")

    def url_schema(self, schema: core_schema.UrlSchema) -> JsonSchemaValue:
        """A URL, with its schemes."""
        return _with_rules(super().url_schema(schema), schema, "allowed_schemes", "host_required")

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """A decimal: text, and where it is read a number too. Not pydantic's pattern, which its versions change."""
        text: JsonSchemaValue = {"type": "string", "format": "decimal"}
        number: JsonSchemaValue = {"type": "number"}
        for name, keyword in _NUMERIC.items():
            if name in schema:
                text[keyword] = number[keyword] = float(schema[name])  # type: ignore[literal-required]
        for form in (text, number):
            _with_rules(form, schema, "max_digits", "decimal_places")
        return {"anyOf": [number, text]} if self.mode == "validation" else text

    def set_schema(self, schema: core_schema.SetSchema) -> JsonSchemaValue:
        """A set, which may be read but not written: its order differs between processes, and so would the bytes."""
        return self._read_set(super().set_schema(schema))

    def frozenset_schema(self, schema: core_schema.FrozenSetSchema) -> JsonSchemaValue:
        """A frozen set, as a set."""
        return self._read_set(super().frozenset_schema(schema))

    def _read_set(self, found: JsonSchemaValue) -> JsonSchemaValue:
        if self.mode == "serialization":
            raise PydanticInvalidForJsonSchema("a set is written in any order; declare a sorted tuple or list")
        if "minItems" not in found:  # repeated items are merged, which matters where they are counted after it
            found.pop("uniqueItems")
        return found

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """An object of any names; what the names must be stands in `propertyNames`."""
        names = self.generate_inner(schema["keys_schema"]) if "keys_schema" in schema else {}
        values = self.generate_inner(schema["values_schema"]) if "values_schema" in schema else {}
        found: JsonSchemaValue = {"type": "object", "additionalProperties": values or True}
        if names.get("type") == "integer" and names.keys() <= {"type", "title"}:
            names = {"type": "string", "pattern": "^-?[0-9]+$"}
        if names and names != {"type": "string"}:
            found["propertyNames"] = names
        self.update_with_validations(found, schema, self.ValidationsMapping.object)
        return found


def _with_rules(found: JsonSchemaValue, schema: Mapping[str, Any], *names: str) -> JsonSchemaValue:
    if "now_op" in schema:
        raise PydanticInvalidForJsonSchema("a bound that moves with the clock")
    try:
        rules = {name: to_jsonable_python(schema[name]) for name in names if schema.get(name) is not None}
    except PydanticSerializationError as error:
        raise PydanticInvalidForJsonSchema(str(error)) from error
    if rules:
        found[RULES] = {**found.get(RULES, {}), **rules}
    return found
