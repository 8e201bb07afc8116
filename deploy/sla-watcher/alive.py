#!/opt/farandole/bin/python -IS
"""Exits with 0 where the SLA watcher's event loop went on within the last minute; with 1 else."""

import os
import sys
import time
from pathlib import Path

_PATIENCE = 60.0  # seconds; it beats every second


def main() -> int:
    """Look at the time of its file once; what is wrong goes to stdout, where `docker inspect` shows it."""
    path = Path(os.environ["SLA_DATA"]) / "alive"
    try:
        still = time.time() - path.stat().st_mtime
    except OSError as error:
        print(f"it has not begun: {error}")
        return 1
    if still < _PATIENCE:
        return 0
    print(f"its event loop has not gone on for {still:.0f} s")
    return 1


if __name__ == "__main__":
    sys.exit(main())
