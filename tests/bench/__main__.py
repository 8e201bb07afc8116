"""`make bench`: every bar beside its figure, as a table and one JSON object; exit 1 where a bar is missed."""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable

import apsw
import pydantic
from rich.console import Console

from tests.bench import demo, hop, idle, latency, sequential
from tests.bench.bars import Bar, as_json, show

PARTS: dict[str, Callable[[], list[Bar]]] = {
    "hop": hop.run,
    "latency": latency.run,
    "sequential": sequential.run,
    "demo": demo.run,
    "idle": idle.run,
}


def main() -> int:
    """Run the parts that were asked for, one after the other: nothing else should run meanwhile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which parts; all by default")
    parser.add_argument("--json-file", help="write the JSON object there, too")
    options = parser.parse_args()
    bars = [bar for name, run in PARTS.items() if name in (options.parts or PARTS) for bar in run()]
    show(bars, Console(stderr=False, width=150))
    report = json.dumps({"bench": as_json(bars), "machine": _machine(), "load": os.getloadavg()})
    sys.stdout.write(report + "\n")
    if options.json_file:
        with open(options.json_file, "w", encoding="utf-8") as file:
            file.write(report + "\n")
    return 0 if all(bar.met for bar in bars) else 1


def _machine() -> dict[str, object]:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "pydantic": pydantic.VERSION,
        "fdatasync_ms": round(latency.fdatasync_ms(), 3),
        "commit": commit.stdout.strip(),
    }


if __name__ == "__main__":
    sys.exit(main())
