"""A time as people write it: RFC 3339, or how long ago."""

import re
from datetime import UTC, datetime

from farandole.events.durations import seconds
from farandole.events.errors import BadInput, ConfigError

_AGO = re.compile(r"(?P<duration>\S.*?)\s+ago")
_REMEDY = "give RFC 3339 such as 2026-11-23T14:00:00Z, or a duration such as '2h ago'"


def read_instant(text: str, now: float) -> tuple[float, bool]:
    """Seconds since the epoch, and whether it named no zone, so that UTC was taken. Raises BadInput."""
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago is not None:
            return now - seconds(ago["duration"].replace(" ", ""), name="time"), False
        found = datetime.fromisoformat(text.strip())
    except (ValueError, ConfigError) as error:
        raise BadInput(f"time {text[:40]!r} is none; {_REMEDY}") from error
    naive = found.tzinfo is None
    return (found.replace(tzinfo=UTC) if naive else found).timestamp(), naive
