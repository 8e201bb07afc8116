"""What the texts of CloudEvents attributes may be; each reader raises DecodeError naming the attribute."""

import re
from datetime import datetime
from functools import lru_cache

from farandole.events.errors import DecodeError
from farandole.events.limits import TEXT_LIMIT

_NAME = re.compile(r"[a-z0-9]+")
_TYPE = re.compile(r"(?P<name>.+?)(?:\.v(?P<version>[1-9][0-9]{0,8}))?")
_COUNT = re.compile(r"[0-9]{1,6}")
_IDS = r"-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
match_traceparent = re.compile(rf"00{_IDS}|(?!00|ff)[0-9a-f]{{2}}{_IDS}(?:-.*)?").fullmatch
"""Matches a well-formed W3C `traceparent` of any version."""

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")
_YEARS = range(1678, 2262)  # those whose nanoseconds since 1970 fit in 64 bits, as many readers count them
# What the type String of CloudEvents excludes: control characters, surrogates, noncharacters.
_EXCLUDED = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane | last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF))
    + "]"
)


def is_attribute_name(name: str) -> bool:
    """Whether `name` (without `ce_`) can be an attribute's: lower-case letters and digits."""
    return _NAME.fullmatch(name) is not None


def check_text(name: str, text: str) -> str:
    """`text` as the value of attribute or header `name`."""
    # A scope names every level of a nested fan-out; only the sum of all headers bounds it.
    if len(text) > TEXT_LIMIT and name != "ce_scope":
        raise DecodeError(f"{name!r} has {len(text)} characters; at most {TEXT_LIMIT}")
    excluded = None if text.isprintable() else _EXCLUDED.search(text)
    if excluded is not None:
        raise DecodeError(f"{name!r} holds the character U+{ord(excluded[0]):04X}: {text[:80]!r}")
    return text


@lru_cache(maxsize=1024)
def read_type(text: str) -> tuple[str, int]:
    """Name and version of `ce_type`; one without `.v<number>` at its end has version 1."""
    match = _TYPE.fullmatch(text)
    if match is None:
        raise DecodeError(f"ce_type {text[:80]!r} is not a type name")
    return match["name"], int(match["version"] or 1)


def read_generation(text: str) -> int:
    """The count in `ce_generation`."""
    if _COUNT.fullmatch(text) is None:
        raise DecodeError(f"ce_generation {text[:80]!r} is not a count")
    return int(text)


def read_time(text: str) -> str:
    """`ce_time` as RFC 3339 with upper-case letters, which `datetime.fromisoformat` reads."""
    upper = text.upper()
    try:
        usable = _TIME.fullmatch(upper) is not None and datetime.fromisoformat(upper).year in _YEARS
    except ValueError:
        usable = False
    if not usable:
        raise DecodeError(f"ce_time {text[:80]!r} is not an RFC 3339 time of the years {_YEARS[0]} to {_YEARS[-1]}")
    return upper
