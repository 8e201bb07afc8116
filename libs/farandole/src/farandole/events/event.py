"""What a fact is: the base class of every event; it knows nothing of records or logs."""

import re
from enum import Enum
from typing import Any, ClassVar, NamedTuple, Self, Unpack

from pydantic import BaseModel, ConfigDict, ValidationError

from farandole.events.errors import DeclarationError

# No underscore: metric names fold "." and "_" together, so `a.b` and `a_b` would collide (and Kafka warns).
TYPE_PATTERN = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*")
TYPE_LIMIT = 180  # characters; Kafka allows 249 for a topic, prefixes and suffixes of ours come on top
RESERVED_PREFIX = "farandole."
RESERVED_SUFFIXES = (".inbox", ".state", ".dlq")


class EventType(NamedTuple):
    """What an event class declares: its name on the wire, version, key field, and whether it is a leaf."""

    name: str
    version: int
    key: str | None
    final: bool

    @property
    def wire(self) -> str:
        """The CloudEvents type, `scene.received.v1`."""
        return f"{self.name}.v{self.version}"


class Event(BaseModel):
    """An immutable fact in the past tense.

    `class SceneReceived(Event, type="scene.received", key="scene_id", version=1, final=False)`. Strict when
    built (an unknown field is an error), tolerant when read (`read`). `key` names the field whose value orders
    events; None: no order. `final=True`: meant to have no consumer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)
    event_type: ClassVar[EventType]

    def __init_subclass__(
        cls,
        *,
        type: str = "",
        key: str | None = None,
        version: int = 1,
        final: bool = False,
        **config: Unpack[ConfigDict],
    ) -> None:
        super().__init_subclass__(**config)
        if type:
            cls.event_type = EventType(_checked_name(cls, type), version, key, final)

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        declared = cls.__dict__.get("event_type")
        if declared is None:
            raise DeclarationError(f"{_where(cls)}: an event needs its name: class {cls.__name__}(Event, type=…)")
        if declared.version < 1:
            raise DeclarationError(f"{_where(cls)}: version={declared.version}; versions count from 1")
        if declared.key is not None and declared.key not in cls.model_fields:
            raise DeclarationError(
                f"{_where(cls)}: key={declared.key!r} is no field; fields: {', '.join(cls.model_fields) or 'none'}"
            )

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Validate the JSON bytes once, ignoring fields that this view does not know.

        Raises pydantic's ValidationError.
        """
        event: Self = cls.__pydantic_validator__.validate_json(data, extra="ignore")
        return event

    def data(self) -> bytes:
        """The event's JSON, as it stands in a record's value."""
        return self.__pydantic_serializer__.to_json(self)

    @property
    def order_key(self) -> str | None:
        """The value of the key field as text, or None where the type has no key."""
        field = type(self).event_type.key
        return None if field is None else key_text(getattr(self, field))


def key_text(value: object) -> str:
    """A key field's value as text; of an enumeration its value, for names of code never stand on the wire."""
    return str(value.value if isinstance(value, Enum) else value)


def explain(error: ValidationError) -> str:
    """One line that names each wrong field and what is expected, without the values (they may be secret)."""
    parts = (f"{'.'.join(map(str, e['loc'])) or '(whole)'}: {e['msg']}" for e in error.errors(include_url=False))
    return "; ".join(parts)


def check_type_name(name: str) -> str | None:
    """Why `name` cannot be an event's type, or None."""
    if not TYPE_PATTERN.fullmatch(name):
        return "use lower-case words of letters, digits and '-', joined by single dots, such as scene.received"
    if len(name) > TYPE_LIMIT:
        return f"{len(name)} characters; at most {TYPE_LIMIT}"
    if name.startswith(RESERVED_PREFIX) or name.endswith(RESERVED_SUFFIXES):
        return f"names that begin with {RESERVED_PREFIX!r} or end with .inbox, .state, .dlq are the library's"
    return None


def _checked_name(cls: type, name: str) -> str:
    wrong = None if cls.__module__.startswith("farandole.events.") else check_type_name(name)
    if wrong:
        raise DeclarationError(f"{_where(cls)}: type={name[:80]!r}: {wrong}")
    return name


def _where(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
