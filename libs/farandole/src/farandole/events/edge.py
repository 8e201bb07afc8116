"""What may enter at the edge: ids that people type, and JSON that no step of ours wrote."""

import json
import re
from typing import Any

from pydantic_core import from_json

from farandole.events.errors import BadInput, DecodeError

ID_LIMIT = 200
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:@+=,~-]*")
_SAFE_INTEGER = 2**53 - 1  # RFC 7493 (I-JSON) section 2.2
# Names such as __proto__ and __class__, which other languages give a meaning to.
_DUNDER = re.compile(r"__.*__", re.DOTALL)
# A text that begins like a time before 1678 or after 2261: its nanoseconds since 1970 do not fit in 64 bits.
_FAR_TIME = re.compile(rb'"(?!167[89]|16[89]\d|1[7-9]\d\d|2[01]\d\d|22[0-5]\d|226[01])\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d')


def check_id(text: str, what: str = "id") -> str:
    """`text`, where it can be an id. Raises BadInput naming `what` and the remedy."""
    if len(text) > ID_LIMIT:
        raise BadInput(f"{what} has {len(text)} characters; at most {ID_LIMIT}")
    if not _ID.fullmatch(text) or ".." in text:
        raise BadInput(f"{what} {text[:80]!r}: use letters, digits and . _ : @ + = , ~ - (no '..', no '/')")
    return text


def check_interoperable(data: bytes) -> None:
    """Refuse JSON that other readers would understand differently; for records from outside only.

    The rules are RFC 7493 (I-JSON): UTF-8 without BOM or lone surrogates, no name twice in an object, integers
    within ±(2^53-1), numbers within a double's range; and beyond it no name that other languages give a meaning
    to, and no time that many readers cannot hold. Raises DecodeError.
    """
    read_interoperable(data)


def read_interoperable(data: bytes) -> Any:
    """The JSON value in `data`, under the rules of `check_interoperable`. Raises DecodeError."""
    try:
        from_json(data, allow_inf_nan=False, cache_strings="none")  # UTF-8, surrogates, nesting of at most 200
        value = json.loads(data, object_pairs_hook=_unique, parse_int=_integer, parse_float=_number)
    except ValueError as error:
        raise DecodeError(f"the data is not JSON: {error}") from error
    far = _FAR_TIME.search(data)
    if far is not None:
        raise DecodeError(f"time {far[0][1:].decode()}… is not of the years 1678 to 2261")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise DecodeError(f"field {twice[:80]!r} stands twice in one object")
    for name in names:
        if name.startswith("__") and _DUNDER.fullmatch(name) is not None:
            raise DecodeError(f"field {name[:80]!r} is refused: other readers give it a meaning")
    return names


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > _SAFE_INTEGER:
        raise DecodeError(f"integer {text[:24]}… is beyond ±(2^53-1); give it as text")
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise DecodeError(f"number {text[:24]} is beyond a double's range")
    return number
