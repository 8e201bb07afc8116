"""How long a partition stands still after a kill: from the kill until anybody's next commit of the step on it."""

import json
import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from tests.chaos_kafka.diary import EXPECTED, LOSSES, NODES, Entry
from tests.support.judging import Dicts, Row

READS = {
    "checking": "order.taken",
    "cutting": "order.checked",
    "working": "part.cut",
    "gathering": "part.worked",
    "closing": "order.gathered",
}
FAN_IN = "gathering"
KINDS = ("alone", "beside", "crowded")
SLOWEST = 8
NOTICED = 0.1  # seconds: what is lost at once is asked for again at once
STRIKES = ("kill", "zombie")
NOWHERE = -1  # where an input lies that was never committed: a defect, and the checker's to judge
Place = tuple[str, int]
"""Service, and partition of what it reads; of the fan-in, which reads an inbox of its own, the order's number."""


def takeovers(entries: Sequence[Entry], rows: list[Row], facts: Dicts) -> dict[str, Any]:
    """Seconds for each kill that hit a running step; the slowest of the partitions whose steps ran.

    `crowded`: kills before or after which the same service was struck within `EXPECTED` seconds; of the others, `alone`
    those in whose `EXPECTED` seconds every node was to be had and no answer was held back, and `beside` the rest.
    `never`: no commit came.
    `slowest`: seconds, service and the time of the kill, and what else befell that service, any node, or an answer
    before the commit: kind, and seconds from the kill.
    A commit counts from when the brokers stamped its fact, a few ms before the transaction ended.
    """
    homes = _homes(rows)
    commits = _commits(rows, facts)
    figures, never = {kind: list[float]() for kind in KINDS}, 0
    each = list[dict[str, Any]]()
    for kill in (entry for entry in entries if entry.kind == "kill" and entry.marks):
        nexts = [
            _next(commits[service, homes.get((service, n, p), NOWHERE)], kill.begin) for service, n, p in kill.marks
        ]
        if None in nexts:
            never += 1
            continue
        seconds = max(at for at in nexts if at is not None) - kill.begin
        figures[_kind(entries, kill, seconds)].append(seconds)
        each.append({"seconds": round(seconds, 3), "service": kill.service, "at": kill.begin})
        each[-1]["meanwhile"] = _meanwhile(entries, kill, kill.begin + seconds)
    samples = {kind: [round(seconds, 3) for seconds in found] for kind, found in figures.items()}
    slowest = sorted(each, key=lambda one: -one["seconds"])[:SLOWEST]
    return totals([samples]) | {"never": never, "samples": samples, "slowest": slowest}


def totals(samples: Sequence[Mapping[str, list[float]]]) -> dict[str, Any]:
    """Of these, and of all kinds of them together."""
    found = {kind: [seconds for one in samples for seconds in one.get(kind, ())] for kind in KINDS}
    return {kind: summary(of) for kind, of in {"all": list(chain(*found.values())), **found}.items()}


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


def _kind(entries: Iterable[Entry], kill: Entry, seconds: float) -> str:
    end = kill.begin + min(seconds, EXPECTED)
    if any(
        e is not kill and e.kind in STRIKES and e.service == kill.service and kill.begin - EXPECTED < e.begin < end
        for e in entries
    ):
        return "crowded"
    beside = any(_away(e) and e.begin < end and (e.end or end) > kill.begin for e in entries)
    return "beside" if beside else "alone"


def _meanwhile(entries: Iterable[Entry], kill: Entry, end: float) -> list[tuple[str, float]]:
    """What else struck the same service, kept a node away or held an answer back between the kill and `end`."""
    beside = [e for e in entries if e is not kill and e.begin < end and (e.end or end) > kill.begin]
    strikes = [e for e in beside if e.kind in STRIKES and e.service == kill.service]
    found = [(e.kind, round(e.begin - kill.begin, 1)) for e in (*strikes, *filter(_away, beside))]
    return sorted(found, key=lambda one: one[1])


def _away(entry: Entry) -> bool:
    """Whether somebody waits for a node, or for an answer."""
    return entry.kind in NODES or (entry.kind in LOSSES and entry.end - entry.begin > NOTICED)


def summary(found: list[float]) -> dict[str, float | int]:
    """Nearest-rank percentiles, in seconds."""
    found = sorted(found)
    if not found:
        return {"kills": 0}
    ranks = {f"p{share}": found[math.ceil(share / 100 * len(found)) - 1] for share in (50, 99)}
    return {"kills": len(found)} | {name: round(value, 3) for name, value in (ranks | {"max": found[-1]}).items()}
