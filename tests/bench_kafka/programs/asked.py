"""What a program here is told on its command line, and how it is told to stop."""

import argparse
import signal
import threading
from typing import NamedTuple


class Asked(NamedTuple):
    """Where to read and write. `commit`: seconds between two commits, for those that have such a setting."""

    bootstrap: str
    source: str
    sink: str
    journal: str
    group: str
    shape: str
    mode: str
    commit: float


def read() -> Asked:
    """The command line."""
    parser = argparse.ArgumentParser()
    for name in ("bootstrap", "source", "sink", "group"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--journal", default="")
    parser.add_argument("--shape", choices=("measured", "hop"), default="measured")
    parser.add_argument("--mode", default="")
    parser.add_argument("--commit", type=float, default=0.0)
    return Asked(**vars(parser.parse_args()))


def stopping() -> threading.Event:
    """Set by SIGTERM."""
    event = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: event.set())
    return event
