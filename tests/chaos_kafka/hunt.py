"""`make hunt-kafka`: ten planted defects, one after the other; what finds each, the contract suite or the rig.

    python -m tests.chaos_kafka.hunt [--book FILE] [--seed S] [NAME …]

A line of JSON for each goes into the book at once; what it holds of the same commit is not run again. What a storm of
kills meets is luck: a defect that stays unfound is hunted with a second seed, and both are told. Exit 1 where one stays
unfound then.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.proof import commit_here, machine_here
from tests.chaos_kafka.planted import DEFECTS, GUARDED_TWICE

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "var" / "planted-kafka.jsonl"
PLAN = ("--kills", "60", "--brokers", "7", "--network", "30")
FOUND = 1
SEEDS = 2
_SAID = re.compile(r"^CHAOS FAIL: (.*)$", re.MULTILINE)


def main() -> int:
    """Run each that is not in the book yet, and show them all."""
    parser = argparse.ArgumentParser(prog="hunt", description="Plants each defect, and says what has found it.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"these, of {', '.join(sorted(DEFECTS))}; or the ten")
    parser.add_argument("--book", type=Path, default=BOOK, help="where the lines are kept (var/planted-kafka.jsonl)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if unknown := set(options.names) - DEFECTS.keys():
        parser.error(f"no defect is named {', '.join(sorted(unknown))}")
    names, commit = options.names or sorted(DEFECTS.keys() - GUARDED_TWICE), commit_here()
    known = {one["defect"]: one for one in _lines(options.book) if one["commit"] == commit}
    for number, name in enumerate(names, 1):
        if name not in known:
            sys.stderr.write(f"{number}/{len(names)} {name}\n")
            for seed in range(options.seed, options.seed + SEEDS):
                known[name] = _hunt(name, seed) | {"commit": commit, "machine": machine_here()}
                _enter(options.book, known[name])
                if known[name]["found"]:
                    break
    _show([known[name] for name in names])
    return 0 if all(known[name]["found"] for name in names) else 1


def _hunt(name: str, seed: int) -> dict[str, Any]:
    """What `make chaos-kafka MUTANT=name` runs."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "tests.chaos_kafka", "--mutant", name, "--seed", str(seed), *PLAN]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    said = _SAID.findall(done.stderr)
    return {
        "defect": name,
        "what": (DEFECTS[name].__doc__ or "").strip(),
        "seed": seed,
        "exit": done.returncode,
        "found": done.returncode == FOUND and bool(said),
        "by": [line[:300] for line in said] or done.stderr[-300:].splitlines(),
        "seconds": round(time.monotonic() - begun, 1),
    }


def _lines(book: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in book.read_text(encoding="utf-8").splitlines()] if book.exists() else []


def _enter(book: Path, line: dict[str, Any]) -> None:
    book.parent.mkdir(parents=True, exist_ok=True)
    with book.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _show(lines: Sequence[dict[str, Any]]) -> None:
    table = Table(title=f"{sum(line['found'] for line in lines)} of {len(lines)} planted defects found")
    for column in ("defect", "what it does", "seed", "exit", "s", "found by"):
        table.add_column(column, overflow="fold")
    for line in lines:
        cells: Iterable[object] = (line["defect"], line["what"], line["seed"], line["exit"], line["seconds"])
        table.add_row(*map(str, cells), "\n".join(line["by"]))
    Console(width=150).print(table)


if __name__ == "__main__":
    sys.exit(main())
