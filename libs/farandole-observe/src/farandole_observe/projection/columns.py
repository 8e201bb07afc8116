"""The columns that a projection's table may have: what a fold may give for each, and how it stands in JSON.

What both databases would not give back as it was given is refused, so that a row is the same wherever it was.
"""

import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Double,
    Float,
    Integer,
    Numeric,
    SmallInteger,
    String,
    Text,
    Unicode,
    UnicodeText,
)

TYPES = "Text, String, SmallInteger, Integer, BigInteger, Double, Float, Boolean, DateTime, Date, Numeric or JSON"
_DIGITS = 15
"""Of a decimal number, for SQLite keeps it as a double."""
_SINGLE = 24  # bits: a Float of no more is kept in single precision
_BITS = {SmallInteger: 16, Integer: 32, BigInteger: 64}
_TEXTS = (String, Text, Unicode, UnicodeText)

Check = Callable[[Any], Any]
"""The value as it is kept. Raises ValueError, TypeError or OverflowError saying what is wrong with it."""


class Form(NamedTuple):
    """How the values of a column are written. `check`: of what a fold gave, or a database, never None."""

    check: Check
    to_json: Callable[[Any], Any]
    from_json: Callable[[Any], Any]


def form_of(column: Column[Any]) -> Form | str:
    """The form of a column's values, or why it can have none."""
    kind = column.type
    exact = type(kind)
    if exact in _TEXTS:
        return Form(_text(getattr(kind, "length", None)), _same, _same)
    if exact in _BITS:
        return Form(_whole(_BITS[exact]), _same, _same)
    if exact in (Float, Double) and getattr(kind, "asdecimal", False) is False:
        single = (getattr(kind, "precision", None) or 53) <= _SINGLE
        return "single precision is not kept alike everywhere; use Double" if single else Form(_double, _same, _same)
    if isinstance(kind, Numeric) and exact is Numeric:
        return _decimal_form(kind)
    simple: dict[type, Form] = {
        Boolean: Form(_truth, _same, _same),
        DateTime: Form(_moment, _rfc3339, datetime.fromisoformat),
        Date: Form(_day, date.isoformat, date.fromisoformat),
        JSON: Form(_plain, _same, _same),
    }
    return simple.get(exact) or f"type {exact.__name__} is none of {TYPES} (of sqlalchemy itself)"


def binder(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """What turns a checked value into what the database's driver takes; None: nothing has to be done."""
    kind = column.type
    if isinstance(kind, JSON):
        return compact
    native = kind.dialect_impl(dialect).bind_processor(dialect)
    if isinstance(kind, DateTime) and native is None and not kind.timezone:
        return _naive
    return native


def compact(value: Any) -> str:
    """A value as JSON text."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def signature(column: Column[Any]) -> list[Any]:
    """What of a column decides how it is kept."""
    kind = column.type
    sizes = [getattr(kind, name, None) for name in ("length", "precision", "scale", "timezone")]
    return [column.name, type(kind).__name__, *sizes, bool(column.nullable)]


# -- checks -------------------------------------------------------------------------------------------------


def _same(value: Any) -> Any:
    return value


def _text(length: int | None) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise _wrong(value, "text")
        text = str.__str__(value)
        if "\0" in text:
            raise ValueError("holds a zero character, which PostgreSQL does not keep")
        text.encode()
        if length is not None and len(text) > length:
            raise ValueError(f"has {len(text)} characters; the column holds {length}")
        return text

    return check


def _whole(bits: int) -> Check:
    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise _wrong(value, "a whole number")
        if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
            raise ValueError(f"needs more than {bits} bits; use a larger integer type")
        return int(value)

    return check


def _double(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _wrong(value, "a number")
    if not math.isfinite(value):
        raise ValueError("is not finite; give None where there is no number")
    return float(value) + 0.0  # SQLite knows no negative zero


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(value, "a bool")
    return value


def _moment(value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise _wrong(value, "a datetime")
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return aware.replace(fold=0)


def _rfc3339(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


def _naive(value: Any) -> Any:
    return None if value is None else value.replace(tzinfo=None)


def _day(value: Any) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise _wrong(value, "a date")
    return value


def _decimal_form(kind: Numeric[Any]) -> Form | str:
    digits, scale = kind.precision, kind.scale
    if digits is None or digits > _DIGITS or scale is None or not kind.asdecimal:
        return f"a Numeric has a precision of at most {_DIGITS} digits and a scale, such as Numeric(12, 2)"
    step = Decimal(1).scaleb(-scale)

    def check(value: Any) -> Decimal:
        if isinstance(value, float):  # as SQLite gives it back
            value = Decimal(repr(value))
        if not isinstance(value, int | Decimal) or isinstance(value, bool):
            raise _wrong(value, "a Decimal")
        exact = Decimal(value)
        if not exact.is_finite():
            raise ValueError("is not finite; give None where there is no number")
        if exact and exact.adjusted() >= digits - scale:
            raise ValueError(f"has more than {digits - scale} digits before the point")
        rounded = exact.quantize(step) + 0
        if rounded and rounded.adjusted() >= digits - scale:
            raise ValueError(f"has more than {digits - scale} digits before the point")
        return rounded

    return Form(check, str, Decimal)


def _plain(value: Any) -> Any:
    return json.loads(compact(value))


def _wrong(value: Any, wanted: str) -> TypeError:
    return TypeError(f"is a {type(value).__name__}, and the column holds {wanted}")
