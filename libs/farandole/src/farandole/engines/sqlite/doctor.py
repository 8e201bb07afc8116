"""Finds out whether an embedded log is well, and says what to do; the log may be in use meanwhile."""

import shutil
from pathlib import Path

from farandole.engines.sqlite import maintain
from farandole.engines.sqlite.filesystem import mounts, refuse_network
from farandole.events.errors import FarandoleError, LogFormatError
from farandole.log.care import Finding

LITTLE = 1 << 30
"""Bytes of free disk below which somebody should look."""
NOTHING = 64 << 20
"""Bytes below which services are about to stop."""


def examine(path: Path) -> list[Finding]:
    """Whether it is there, lies where it may, is sound, and has room; blocking, for it reads all of it."""
    if not path.is_file():
        return [Finding("file", "fail", f"there is no log at {path}", "name another with --log, or start a service")]
    size = path.stat().st_size
    findings = [Finding("file", "ok", f"{path}: {size} bytes"), _place(path), *_sound(path)]
    return [*findings, room(shutil.disk_usage(path.parent).free, size)]


def room(free: int, size: int) -> Finding:
    """By the free bytes of the disk and the size of the log, whose copy has to fit beside it."""
    said = f"{free >> 20} MiB are free"
    if free < NOTHING:
        return Finding("disk", "fail", said, "make room: services stop when nothing can be written")
    if free < max(LITTLE, size):
        return Finding("disk", "warn", said, "make room: a backup, and growth, need as much as the log is large")
    return Finding("disk", "ok", said)


def _place(path: Path) -> Finding:
    try:
        refuse_network(path.resolve(), mounts())
    except LogFormatError as error:
        return Finding("place", "fail", str(error), "stop every service, and move the file to a local disk")
    return Finding("place", "ok", "it lies on a local disk")


def _sound(path: Path) -> list[Finding]:
    try:
        problems = maintain.check(path)
    except FarandoleError as error:
        return [Finding("sound", "fail", str(error), "see `farandole log check`")]
    remedy = "stop every service; go on with a backup (farandole log backup)"
    return [Finding("sound", "fail", said, remedy) for said in problems] or [Finding("sound", "ok", "the log is sound")]
