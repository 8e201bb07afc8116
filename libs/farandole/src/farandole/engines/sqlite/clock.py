"""Clocks: wall time for records, and a lease clock that no change of the wall clock moves."""

import time
from pathlib import Path

import psutil

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_LEASE_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The machine's wall clock."""

    now = staticmethod(time.time)
    """Seconds since the epoch, UTC; bare, for each attempt asks twice."""


def lease_now() -> float:
    """Seconds since boot, suspension included where the system can tell; equal in every process."""
    return time.clock_gettime(_LEASE_CLOCK)


def boot_id() -> str:
    """What names this boot of the machine: readings of `lease_now` compare only within one boot."""
    try:
        return _BOOT_ID.read_text().strip()
    except FileNotFoundError:
        return f"boot-{psutil.boot_time():.0f}"
