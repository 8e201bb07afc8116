"""What a run has to show, and what of it is missing in a report."""

from collections.abc import Mapping
from typing import Any

from tests.chaos_kafka.diary import BROKERS, CUT, EXPECTED, LOSSES

SETTLES_WITHIN = 60.0  # seconds after the last fault
SHARE = {"kills": 1.0, "brokers": 1.0, "network": 0.7}
"""Of what is asked for; a loss may wait in vain for a request of its kind."""


def problems(report: dict[str, Any]) -> list[str]:
    """In words; none where all is well."""
    return wrong(report) + _slow(report) + _shown(report)


def wrong(report: dict[str, Any]) -> list[str]:
    """What is broken, however fast the machine is: a planted defect is found only by one of these."""
    found = [
        f"{what}: {str(report[what])[:500]}" for what in ("missing", "left", "unfinished", "orphans") if report[what]
    ]
    if never := report["takeover"]["never"]:
        found.append(f"{never} kills after which a partition was never committed again")
    if report["traces"]["wrong"]:
        found.append(f"traces do not hang together: {report['traces']}")
    return found + _judged(report["verdict"])


def _slow(report: dict[str, Any]) -> list[str]:
    found = slow(report["healing"]["settled_after"], report["takeover"]["alone"])
    if report["faults"].get("kill") and not report["takeover"]["alone"]["kills"]:
        found.append("no kill stood alone: nothing says how long a take-over lasts")
    return found


def slow(settled: float, alone: Mapping[str, float]) -> list[str]:
    """Of a slice, or of all together: `settled` seconds after the last fault, and take-overs that stood alone."""
    found = []
    if settled > SETTLES_WITHIN:
        found.append(f"it came to rest {settled} s after the last fault; at most {SETTLES_WITHIN:g}")
    if alone.get("p99", 0.0) > EXPECTED:
        found.append(f"take-over {alone}; at most {EXPECTED:g} s at p99")
    return found


def _judged(verdict: dict[str, Any]) -> list[str]:
    if verdict["ok"]:
        return []
    first = {kind: findings[:3] for kind, findings in verdict["findings"].items()}
    return [f"the checker found {verdict['counts']} in {verdict['seen']}: {first}"]


def _shown(report: dict[str, Any]) -> list[str]:
    """Whether the faults that were asked for were made."""
    plan, faults = report["plan"], report["faults"]
    kills = faults.get("kill", 0)
    found = []
    if faults["held"] * 2 < kills:
        found.append(f"only {faults['held']} of {kills} kills hit a delivery in flight")
    if faults.get("out of time"):
        return found
    made = {
        "kills": kills,
        "brokers": sum(faults.get(kind, 0) for kind in BROKERS),
        "network": sum(faults.get(kind, 0) for kind in (CUT, *LOSSES)),
    }
    found += [
        f"{made[kind]} of {plan[kind]} faults of {kind}" for kind in made if made[kind] < plan[kind] * SHARE[kind]
    ]
    return found
