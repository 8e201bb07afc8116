"""Removes a folder when it is told to, or when whoever started it has ended, in whatever way.

Run as a script, by path, on the standard library only: `sweep.py FOLDER`, with a pipe as stdin.
"""

import os
import shutil
import sys
import time

PATIENCE = 30.0  # seconds: what is being killed at the same time may still write


def main(folder: str) -> None:
    """Wait for a byte or the end of stdin, then remove `folder`."""
    os.chdir("/")
    os.read(0, 1)
    deadline = time.monotonic() + PATIENCE
    while os.path.lexists(folder) and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1])
