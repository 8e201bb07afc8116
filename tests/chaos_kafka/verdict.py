"""What a run has to show, and what of it is missing in a report."""

from typing import Any

from tests.chaos_kafka.takeover import EXPECTED

SETTLES_WITHIN = 60.0  # seconds after the last fault


def problems(report: dict[str, Any]) -> list[str]:
    """In words; none where all is well."""
    found = [
        f"{what}: {str(report[what])[:500]}" for what in ("missing", "left", "unfinished", "orphans") if report[what]
    ]
    found += _judged(report["verdict"]) + _shown(report)
    settled = report["healing"]["settled_after"]
    if settled > SETTLES_WITHIN:
        found.append(f"it came to rest {settled} s after the last fault; at most {SETTLES_WITHIN:g}")
    takeover = report["takeover"]
    if report["faults"].get("kill") and not takeover["alone"]["kills"]:
        found.append("no kill stood alone: nothing says how long a take-over lasts")
    if takeover["alone"].get("p99", 0.0) > EXPECTED:
        found.append(f"take-over {takeover['alone']}; at most {EXPECTED:g} s at p99")
    if takeover["never"]:
        found.append(f"{takeover['never']} kills after which a partition was never committed again")
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
    broken = faults.get("broker kill", 0) + faults.get("rolling restart", 0)
    if kills < plan["kills"] or broken < plan["brokers"]:
        found.append(f"{kills} of {plan['kills']} kills, {broken} of {plan['brokers']} broker faults")
    return found
