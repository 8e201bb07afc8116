"""What a log has to show, whatever it lies on: nothing lost, nothing twice, nothing out of order within a key.

Imports nothing of farandole: whoever reads a log raw hands over its rows, its facts and its manifests as they stand.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection
from typing import Any, NamedTuple

ENDINGS = ("completed", "held", "discarded")
JOURNAL, MANIFESTS = "farandole.journal", "farandole.manifests"
Dicts = list[dict[str, Any]]


class Row(NamedTuple):
    """One record of an ordinary topic. `time`: of its append where it is known, seconds since the epoch."""

    topic: str
    partition: int
    offset: int
    key: str | None
    value: bytes
    headers: dict[str, str]
    time: float = 0.0


def ordinary(topic: str) -> bool:
    """Whether events of steps and users lie there."""
    return not topic.startswith("farandole.") and not topic.endswith((".inbox", ".dlq", ".state"))


def lost(rows: list[Row], facts: Dicts, manifests: Dicts, acks: Dicts) -> list[str]:
    """Acknowledged inputs that are missing, deliveries that nobody ended, and groups that nobody closed."""
    there = {(r.headers.get("ce_source"), r.headers.get("ce_id")) for r in rows}
    found = [f"acknowledged {a['id']} is not in the log" for a in acks if (a["source"], a["id"]) not in there]
    ended = {_ending(f) for f in facts if f["fact"] in ENDINGS and "event" in f}
    subscribers = _subscribers(manifests)
    for row in rows:
        open_at = [
            s for s in subscribers[row.topic] if (s, row.headers["ce_source"], row.headers["ce_id"]) not in ended
        ]
        found += [f"{step} never ended {row.topic}/{row.partition}/{row.offset}" for step in open_at]
    groups = {(f["service"], f["step"], f["fills"]["group"]) for f in facts if f["fact"] == "held"}
    closed = {(f["service"], f["step"], f["group"]["id"]) for f in facts if f["fact"] in ENDINGS and "group" in f}
    return found + [f"group {g} was never closed" for g in sorted(groups - closed)]


def ended_once(rows: list[Row], last: str, acks: Dicts) -> list[str]:
    """Inputs whose ids end with a number, and the events of the type `last` that say it: as many, and once each."""
    wanted = {int(ack["id"].rpartition("-")[2]) for ack in acks}
    ends = Counter(int(json.loads(row.value)["number"]) for row in rows if row.topic == last)
    return [
        f"{last} {n} stands there {ends[n]} times" for n in sorted(wanted | ends.keys()) if ends[n] != (n in wanted)
    ]


def twice(rows: list[Row], facts: Dicts, outside: Collection[str] = ()) -> list[str]:
    """Ids and endings that stand there more than once; who publishes from `outside` may repeat itself."""
    ids = Counter((r.topic, r.headers["ce_source"], r.headers["ce_id"]) for r in rows)
    for repeated in [what for what in ids if what[1] in outside]:
        del ids[repeated]
    endings = Counter(_ending(f) for f in facts if f["fact"] in ENDINGS and "event" in f)
    closed = Counter((f["step"], f["group"]["id"]) for f in facts if f["fact"] in ENDINGS and "group" in f)
    counted = (*ids.items(), *endings.items(), *closed.items())
    return [f"{what} stands there {times} times" for what, times in counted if times > 1]


def reordered(rows: list[Row], manifests: Dicts) -> list[str]:
    """Outputs of a step that do not follow the order of its inputs of the same key."""
    simple = keeping_order(manifests)
    place: dict[tuple[str | None, str], int] = {}
    for row in rows:
        place.setdefault((row.key, row.headers["ce_id"]), row.offset)
    last: dict[tuple[str, str, str | None], int] = defaultdict(lambda: -1)
    found = []
    for row in rows:
        source, cause = row.headers["ce_source"], row.headers.get("ce_causationid")
        before = None if cause is None else place.get((row.key, cause))
        if source not in simple or before is None:
            continue
        lane = (source, row.topic, row.key)
        if before < last[lane]:
            found.append(f"{lane}: what follows from offset {before} stands behind {last[lane]}")
        last[lane] = max(last[lane], before)
    return found


def keeping_order(manifests: Dicts) -> set[str]:
    """Steps that answer one event for one, in the order of their key."""
    return {
        f"{m['service']}/{s['name']}" for m in manifests for s in m["steps"] if s["shape"] == "one" and s["order_by"]
    }


def report(seen: dict[str, Any], **findings: list[str]) -> dict[str, Any]:
    """The verdict as JSON: findings per kind, and how much was looked at."""
    counts = {name: len(found) for name, found in findings.items()}
    return {"findings": findings, "counts": counts, "seen": seen, "ok": not any(findings.values())}


def _ending(fact: dict[str, Any]) -> tuple[str, str, str]:
    return f"{fact['service']}/{fact['step']}", fact["event"]["source"], fact["event"]["id"]


def _subscribers(manifests: Dicts) -> dict[str, set[str]]:
    steps: dict[str, set[str]] = defaultdict(set)
    for manifest in manifests:
        for step in manifest["steps"]:
            for port in step["inputs"]:
                for name, _ in port["types"]:
                    steps[name].add(f"{manifest['service']}/{step['name']}")
    return steps
