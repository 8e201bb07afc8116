"""Durations as people write them, to seconds; it must not know what they are for."""

import math
import re

from farandole.events.errors import ConfigError

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PLAIN = re.compile(r"[0-9]+(\.[0-9]+)?")
_PARTS = re.compile("".join(rf"(?:(?P<{unit}>[0-9]+(?:\.[0-9]+)?){unit})?" for unit in _UNITS))
_REMEDY = "give seconds (30, 0.5) or text such as 500ms, 30s, 10m, 1h30m, 2h, 1d"
LONGEST = 100 * 365 * 86_400.0
"""Seconds; a century. Beyond about 292 years the system's own clocks overflow."""


def seconds(duration: float | str, *, name: str = "duration") -> float:
    """Seconds in a number or in text: `30`, `0.5`, `"30s"`, `"10m"`, `"2h"`, `"1d"`, `"1h30m"`, `"500ms"`.

    Units stand from the largest to the smallest, each at most once. Raises ConfigError, naming `name` and the
    remedy, for what is negative, not finite, longer than 100 years, or no duration.
    """
    number = _parsed(duration) if isinstance(duration, str) else _number(duration)
    if number is None or not 0 <= number <= LONGEST:
        raise ConfigError(f"{name}: {_shown(duration)} is no duration from 0 to 100 years; {_REMEDY}")
    return number


def _number(value: object) -> float | None:
    """None for what is no finite number; a bool is a slip, not a duration."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _parsed(text: str) -> float | None:
    text = text.strip()
    if _PLAIN.fullmatch(text):
        return float(text)
    match = _PARTS.fullmatch(text) if text else None
    if match is None:
        return None
    return sum(float(amount) * _UNITS[unit] for unit, amount in match.groupdict().items() if amount)


def _shown(value: object) -> str:
    """ASCII without control characters, and bounded: the text may come from anywhere."""
    try:
        text = ascii(value)
    except ValueError:  # an int with more digits than Python turns into text
        return "a number with thousands of digits"
    return text if len(text) <= 60 else f"{text[:60]}…"
