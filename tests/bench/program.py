"""What a bench is: parts that can be chosen, a table, one JSON object, and exit 1 where a bar is missed."""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping

from rich.console import Console

from tests.bench.bars import Bar, as_json, show

Parts = Mapping[str, Callable[[], list[Bar]]]


def main(doc: str, parts: Parts, about: Callable[[], dict[str, object]]) -> int:
    """Run the parts that were asked for, one after the other: nothing else should run meanwhile.

    `about`: versions and settings that the report names beside the machine.
    """
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("parts", nargs="*", choices=[*parts, []], help="which parts; all by default")
    parser.add_argument("--json-file", help="write the JSON object there, too")
    options = parser.parse_args()
    bars = [bar for name, run in parts.items() if name in (options.parts or parts) for bar in run()]
    show(bars, Console(stderr=False, width=150))
    report = json.dumps({"bench": as_json(bars), "machine": machine() | about(), "load": os.getloadavg()})
    sys.stdout.write(report + "\n")
    if options.json_file:
        with open(options.json_file, "w", encoding="utf-8") as file:
            file.write(report + "\n")
    return 0 if all(bar.met for bar in bars) else 1


def machine() -> dict[str, object]:
    """What the figures were taken on."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {"cores": os.cpu_count(), "python": platform.python_version(), "commit": commit.stdout.strip()}
