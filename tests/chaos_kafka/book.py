"""Slices that add up: a line of JSON each in a book, and what they show together.

    python -m tests.chaos_kafka.book BOOK [--json]

Exit 1 where a slice in it has found anything, or where all together are too slow.
"""

import argparse
import json
import math
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.proof import commit_here, machine_here
from tests.chaos_kafka.diary import BROKERS, CUT, LATE, LOSSES
from tests.chaos_kafka.takeover import totals
from tests.chaos_kafka.verdict import slow

KINDS = ("kill", "held", "zombie", "storm", LATE, *BROKERS, CUT, *LOSSES)
BOUND = 3.0
"""No failure in n kills bounds their rate by so much / n, at 95 %: the rule of three."""


def enter(book: Path, report: dict[str, Any]) -> None:
    """Add a slice: what it did and found, not what it said of each finding's place."""
    line = {
        "commit": commit_here(),
        "machine": machine_here(),
        **{
            name: report[name]
            for name in ("plan", "lease", "faults", "orders", "healing", "takeover", "traces", "seconds")
        },
        "settings": report["settings"],
        **{name: report["verdict"][name] for name in ("counts", "seen")},
        "problems": report["problems"],
    }
    book.parent.mkdir(parents=True, exist_ok=True)
    with book.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def total(slices: list[dict[str, Any]]) -> dict[str, Any]:
    """Faults, findings and take-overs of all slices together."""
    faults = Counter[str]()
    for one in slices:
        faults.update({kind: one["faults"].get(kind, 0) for kind in KINDS})
    found = Counter[str]()
    for one in slices:
        found.update(one["counts"])
    takeover = totals([one["takeover"]["samples"] for one in slices])
    settled = max((one["healing"]["settled_after"] for one in slices), default=math.nan)
    return {
        "slices": len(slices),
        "commits": sorted({one["commit"] for one in slices}),
        "seeds": [one["plan"]["seed"] for one in slices],
        "faults": dict(faults),
        "broker_faults": sum(faults[kind] for kind in BROKERS),
        "findings": dict(found),
        "problems": [*(said for one in slices for said in one["problems"]), *slow(settled, takeover["alone"])],
        "rate_below": round(BOUND / faults["kill"], 6) if faults["kill"] and not sum(found.values()) else None,
        "orders": sum(one["seen"]["done"] for one in slices),
        "events": sum(one["seen"]["events"] for one in slices),
        "settled_after": settled,
        "takeover": takeover,
        "traces": _traces([one["traces"] for one in slices if "traces" in one]),
        "seconds": round(sum(one["seconds"] for one in slices)),
    }


def _traces(known: list[dict[str, Any]]) -> dict[str, int]:
    """Of the `slices` that looked at their traces (older ones did not): spans, and deliveries in no trace of theirs."""
    return {"slices": len(known), **{name: sum(one[name] for one in known) for name in ("spans", "wrong")}}


def main() -> int:
    """Add up and show."""
    parser = argparse.ArgumentParser(prog="book", description="What the slices of chaos on Kafka show together.")
    parser.add_argument("book", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args()
    slices = [json.loads(line) for line in options.book.read_text(encoding="utf-8").splitlines()]
    report = total(slices)
    if options.json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        _show(slices, report)
    return 1 if report["problems"] or not slices else 0


def _show(slices: list[dict[str, Any]], report: dict[str, Any]) -> None:
    table = Table(title=f"{report['slices']} slices, {report['seconds']} s")
    for column in ("seed", "commit", "kills", "in flight", "brokers", "network", "lost", "twice", "reordered", "rest"):
        table.add_column(column, justify="right")
    for one in slices:
        faults, counts = one["faults"], one["counts"]
        brokers = sum(faults.get(kind, 0) for kind in BROKERS)
        network = sum(faults.get(kind, 0) for kind in (CUT, *LOSSES))
        row = (one["plan"]["seed"], one["commit"], faults.get("kill", 0), faults["held"], brokers, network)
        rest = f"{one['healing']['settled_after']:g} s"
        table.add_row(*map(str, row), *(str(counts[kind]) for kind in ("lost", "twice", "reordered")), rest)
    console = Console(width=120)
    console.print(table)
    console.print_json(json.dumps(report))


if __name__ == "__main__":
    sys.exit(main())
