"""The event `sla.breached`: a CloudEvent in binary mode, the same bytes whenever the same window is told of again."""

import json
from datetime import UTC, datetime
from hashlib import blake2b
from typing import NamedTuple

from sla_watcher.ledger import Closed
from sla_watcher.limits import Limit

TOPIC = "sla.breached"
SOURCE = "/sla-watcher"


class Breach(NamedTuple):
    """The parts of a record."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def breach_of(window: Closed, limit: Limit, size: int) -> Breach | None:
    """The event of a window of `size` seconds that broke its limit; None where all is in order."""
    broken = limit.broken_by(window.tally)
    if not broken:
        return None
    tally = window.tally
    data = {
        "step": window.step,
        "window_start": _time(window.start),
        "window_seconds": size,
        "count": tally.count,
        "failures": tally.failures,
        "p95_seconds": tally.quantile(0.95),
        "broken": broken,
        "max_failures": limit.failures,
        "max_p95_seconds": limit.p95,
    }
    headers = {
        "ce_specversion": "1.0",
        "content-type": "application/json",
        "ce_id": _id(window, limit, size),
        "ce_source": SOURCE,
        "ce_type": f"{TOPIC}.v1",
        "ce_time": _time(window.start + size),
    }
    value = json.dumps(data, separators=(",", ":")).encode()
    return Breach(window.step.encode(), value, [(name, text.encode()) for name, text in headers.items()])


def _id(window: Closed, limit: Limit, size: int) -> str:
    # The limits are part of it: told again after they were changed, it is another claim and no second body of one id.
    text = json.dumps([window.step, window.start, size, limit.failures, limit.p95])
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
