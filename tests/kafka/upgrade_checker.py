"""The verdict on an upgrade: imports nothing of farandole; reads the log as `tests.chaos_kafka.checker` does.

    python -m tests.kafka.upgrade_checker BOOTSTRAP NAMESPACE ACKS

Beside what that one finds lost, twice and reordered: an acknowledged order without exactly one end, and an end that
does not say what its order was worth. Of the events between it counts versions, and how many of the old one were
published after the first of the new. Prints one JSON object; exit 1 on a finding.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.chaos_kafka import checker
from tests.support import judging
from tests.support.judging import Row

PRICED = "order.priced"


def wrong(rows: list[Row]) -> list[str]:
    """Ends that do not follow from what their order was."""
    ends = _data(rows, checker.LAST)
    return [f"order {end['number']}: {end['cents']} cents" for end in ends if end["cents"] != 100 * end["number"]]


def versions(rows: list[Row]) -> dict[str, Any]:
    """What was published between, and what came of each version."""
    priced = sorted((row for row in rows if row.topic == PRICED), key=lambda row: row.time)
    second = next((n for n, row in enumerate(priced) if row.headers["ce_type"].endswith(".v2")), len(priced))
    return {
        "published": Counter(row.headers["ce_type"] for row in priced),
        "with_the_new_field": sum(json.loads(row.value).get("coupon") is not None for row in priced),
        "old_after_new": sum(row.headers["ce_type"].endswith(".v1") for row in priced[second:]),
        "ended": Counter(data["of"] for data in _data(rows, checker.LAST)),
    }


def judge(bootstrap: str, namespace: str, acks: Path) -> dict[str, Any]:
    """The verdict as JSON: findings per kind, and how much was looked at."""
    rows, facts, manifests = checker.read_log(bootstrap, namespace)
    acknowledged = [json.loads(line) for line in acks.read_text().splitlines()]
    seen = {
        "acknowledged": len(acknowledged),
        "events": len(rows),
        "dead": Counter(f["fact"] for f in facts)["dead"],
        "versions": versions(rows),
        "handled_by": Counter(f"{f['service']} {f['version']}" for f in facts if f["fact"] == "completed"),
        "of_farandole": sorted(name for name in sys.modules if name.partition(".")[0].startswith("farandole")),
    }
    return judging.report(
        seen,
        lost=judging.lost(rows, facts, manifests, acknowledged) + judging.ended_once(rows, checker.LAST, acknowledged),
        twice=checker.twice(rows, facts, {ack["source"] for ack in acknowledged}),
        reordered=checker.reordered(rows, manifests),
        wrong=wrong(rows),
    )


def _data(rows: list[Row], topic: str) -> list[dict[str, Any]]:
    return [json.loads(row.value) for row in rows if row.topic == topic]


if __name__ == "__main__":
    verdict = judge(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    sys.stdout.write(json.dumps(verdict, indent=1) + "\n")
    sys.exit(0 if verdict["ok"] and verdict["seen"]["acknowledged"] else 1)
