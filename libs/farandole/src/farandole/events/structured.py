"""Structured mode: a whole CloudEvent as one JSON object; read only, for we write binary mode.

Source: CloudEvents JSON event format v1.0.2.
"""

import base64
import re
from typing import Any

from pydantic_core import to_json

from farandole.events.attributes import check_text, is_attribute_name
from farandole.events.edge import read_interoperable
from farandole.events.errors import DecodeError
from farandole.events.limits import HEADER_BYTES_LIMIT, HEADER_COUNT_LIMIT, VALUE_LIMIT

_PREFIX = "application/cloudevents"
_JSON_FORMAT = re.compile(rf"{re.escape(_PREFIX)}(\+json)?\s*(;.*)?", re.IGNORECASE)
_JSON_CONTENT = re.compile(r"[^/;]+/([^;]+\+)?json\s*(;.*)?", re.IGNORECASE)
_VALUE_LIMIT = VALUE_LIMIT * 4 // 3 + HEADER_BYTES_LIMIT  # base64 makes four bytes of three
_INTEGERS = range(-(2**31), 2**31)


def is_structured(content_type: str) -> bool:
    """Whether a record of this content type holds a whole event: decided by the prefix alone."""
    return content_type.lstrip()[: len(_PREFIX)].lower() == _PREFIX


def read_structured(content_type: str, value: bytes | None) -> tuple[dict[str, str], bytes | None]:
    """Attributes by header name (`ce_id`) and the data as JSON bytes. Raises DecodeError."""
    if _JSON_FORMAT.fullmatch(content_type.strip()) is None:
        raise DecodeError(f"content-type {content_type[:80]!r}: structured mode is read as {_PREFIX}+json")
    if value is not None and len(value) > _VALUE_LIMIT:
        raise DecodeError(f"a structured event of {len(value)} bytes; at most {_VALUE_LIMIT}")
    event = read_interoperable(value or b"")  # only foreign programs write this mode
    if not isinstance(event, dict):
        raise DecodeError("the structured event is not a JSON object")
    data = _data(event)
    attributes = {f"ce_{name}": _text(name, part) for name, part in event.items() if part is not None}
    if len(attributes) > HEADER_COUNT_LIMIT or sum(map(len, attributes.values())) > HEADER_BYTES_LIMIT:
        raise DecodeError(f"more than {HEADER_COUNT_LIMIT} attributes, or {HEADER_BYTES_LIMIT} characters of them")
    return attributes, data


def _data(event: dict[str, Any]) -> bytes | None:
    encoded, plain = event.pop("data_base64", None), event.pop("data", ...)
    if encoded is not None:
        if plain is not ...:
            raise DecodeError("the structured event has both 'data' and 'data_base64'")
        try:
            return base64.b64decode(encoded, validate=True)
        except (ValueError, TypeError) as error:
            raise DecodeError(f"data_base64 is not base64: {error}") from error
    if plain is ...:
        return None
    content = event.get("datacontenttype")
    if isinstance(plain, str) and isinstance(content, str) and _JSON_CONTENT.fullmatch(content) is None:
        return plain.encode()  # the content itself as text, not a JSON string
    return to_json(plain)


def _text(name: str, part: object) -> str:
    if not is_attribute_name(name):
        raise DecodeError(f"attribute {name[:80]!r}: names are lower-case letters and digits")
    if isinstance(part, bool):
        return "true" if part else "false"
    if isinstance(part, int) and part in _INTEGERS:
        return str(part)
    if isinstance(part, str):
        return check_text(f"ce_{name}", part)
    raise DecodeError(f"attribute {name[:80]!r}: values are text, booleans or integers of 32 bits")
