"""Run a command and keep what it printed under docs/proofs/, with all that is needed to judge it and run it again.

python -m scripts.proof NAME COMMAND…: writes docs/proofs/NAME.md; exit code as the command's.
"""

import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import apsw
import psutil

from scripts.kafka.artifacts import kafka_version

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("apsw", "msgspec", "pydantic", "rasterio", "numpy", "confluent-kafka", "aiokafka")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[a-zA-Z]")


def main(arguments: list[str]) -> int:
    """Run, show, keep."""
    if len(arguments) < 2:
        print(__doc__)
        return 2
    name, *command = arguments
    begun = time.monotonic()
    lines: list[str] = []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"COLUMNS": "150"},
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(_plain(line.rstrip("\n")))
    target = ROOT / "docs" / "proofs" / f"{name}.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    seconds = time.monotonic() - begun
    target.write_text(_page(name, command, process.returncode, seconds, lines), encoding="utf-8")
    print(f"kept in {target.relative_to(ROOT)}")
    return process.returncode


def _page(name: str, command: list[str], code: int, seconds: float, lines: list[str]) -> str:
    about = {
        "command": f"`{_plain(' '.join(command))}`",
        "exit code": str(code),
        "took": f"{seconds:.1f} s, ended {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": commit_here(),
        "machine": machine_here(),
        "versions": _versions(),
    }
    rows = "\n".join(f"| {what} | {said} |" for what, said in about.items())
    body = "\n".join(lines)
    return f"# Proof: {name}\n\n| | |\n|---|---|\n{rows}\n\n```text\n{body}\n```\n"


def commit_here() -> str:
    """The commit that is checked out, and whether anything differs from it."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    changed = [line for line in git("status", "--porcelain").splitlines() if "docs/proofs/" not in line]
    return git("rev-parse", "--short", "HEAD") + (f", and {len(changed)} files not committed" if changed else "")


def machine_here() -> str:
    """Cores, memory and system."""
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, {platform.system()}"


def _versions() -> str:
    found = [f"{package} {version(package)}" for package in PACKAGES]
    others = [f"Python {platform.python_version()}", f"SQLite {apsw.sqlite_lib_version()}"]
    return ", ".join([*others, *found, f"Kafka {kafka_version()} where one was started"])


def _plain(text: str) -> str:
    """Without colours, and without what means something on this machine alone."""
    text = _COLOUR.sub("", text).replace(str(ROOT), ".").replace(sys.prefix, ".venv")
    return text.replace(tempfile.gettempdir(), "$TMPDIR").replace(platform.node(), "HOST")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
