"""How long a partition stands still after a kill: from the kill until anybody's next commit of the step on it."""

import json
import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from tests.chaos_kafka.diary import EXPECTED, NODES, Entry
from tests.support.judging import Dicts, Row

READS = {
    "checking": "order.taken",
    "cutting": "order.checked",
    "working": "part.cut",
    "gathering": "part.worked",
    "closing": "order.gathered",
}
FAN_IN = "gathering"
NOWHERE = -1  # where an input lies that was never committed: a defect, and the checker's to judge
Place = tuple[str, int]
"""Service, and partition of what it reads; of the fan-in, which reads an inbox of its own, the order's number."""


def takeovers(entries: Sequence[Entry], rows: list[Row], facts: Dicts) -> dict[str, Any]:
    """Seconds for each kill that hit a running step; the slowest of the partitions whose steps ran.

    `alone`: kills beside which, and in the `EXPECTED` seconds after which, every node was to be had; `beside`: the
    others. No service is struck again before these seconds are over.
    `never`: no commit came.
    A commit counts from when the brokers stamped its fact, a few ms before the transaction ended.
    """
    homes = _homes(rows)
    commits = _commits(rows, facts)
    alone, beside, never = list[float](), list[float](), 0
    for kill in (entry for entry in entries if entry.kind == "kill" and entry.marks):
        nexts = [
            _next(commits[service, homes.get((service, n, p), NOWHERE)], kill.begin) for service, n, p in kill.marks
        ]
        if None in nexts:
            never += 1
            continue
        seconds = max(at for at in nexts if at is not None) - kill.begin
        (beside if _beside(entries, kill, seconds) else alone).append(seconds)
    figures = {"all": alone + beside, "alone": alone, "beside": beside}
    samples = {name: [round(seconds, 3) for seconds in figures[name]] for name in ("alone", "beside")}
    return {name: summary(found) for name, found in figures.items()} | {"never": never, "samples": samples}


def _homes(rows: list[Row]) -> dict[tuple[str, int, int], int]:
    """Where a step's input lies: of a part, or of a whole order (part 0)."""
    readers = {topic: service for service, topic in READS.items()}
    homes = {}
    for row in rows:
        if row.topic in readers:
            service, data = readers[row.topic], json.loads(row.value)
            home = data["number"] if service == FAN_IN else row.partition
            homes[service, data["number"], data.get("part", 0)] = home
    return homes


def _commits(rows: list[Row], facts: Dicts) -> dict[Place, list[float]]:
    """When each place was committed, ascending."""
    numbers = {r.headers["ce_id"]: json.loads(r.value)["number"] for r in rows if r.topic == READS[FAN_IN]}
    held = [
        fact for fact in facts if fact["fact"] == "held" and fact["event"]["id"] in numbers
    ]  # others: the checker's
    groups = {fact["fills"]["group"]: numbers[fact["event"]["id"]] for fact in held}
    commits: dict[Place, list[float]] = defaultdict(list)
    for fact in facts:
        if fact["service"] != FAN_IN:
            commits[fact["service"], fact["event"]["at"][1]].append(fact["appended"])
        elif fact.get("group", {}).get("id") in groups:
            commits[FAN_IN, groups[fact["group"]["id"]]].append(fact["appended"])
    return defaultdict(list, {place: sorted(times) for place, times in commits.items()})


def _next(times: list[float], after: float) -> float | None:
    number = bisect_right(times, after)
    return times[number] if number < len(times) else None


def _beside(entries: Iterable[Entry], kill: Entry, seconds: float) -> bool:
    """Whether a node was not to be had meanwhile."""
    end = kill.begin + min(seconds, EXPECTED)
    return any(e.kind in NODES and e.begin < end and (e.end or end) > kill.begin for e in entries)


def summary(found: list[float]) -> dict[str, float | int]:
    """Nearest-rank percentiles, in seconds."""
    found = sorted(found)
    if not found:
        return {"kills": 0}
    ranks = {f"p{share}": found[math.ceil(share / 100 * len(found)) - 1] for share in (50, 99)}
    return {"kills": len(found)} | {name: round(value, 3) for name, value in (ranks | {"max": found[-1]}).items()}
