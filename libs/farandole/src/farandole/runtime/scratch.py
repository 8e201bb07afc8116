"""Folders that attempts work in, named after their process, so that those of killed processes can be removed."""

import os
import shutil
import tempfile
from pathlib import Path

import psutil

_PREFIX = "farandole-scratch-"


def new_folder(parent: Path | None) -> "tempfile.TemporaryDirectory[str]":
    """A folder of this process below `parent` (None: the system's for temporary files)."""
    return tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{_space()}-{os.getpid()}-", dir=parent)


def sweep(parent: Path | None) -> list[Path]:
    """Remove what processes left behind that did not live to do it themselves; what was removed.

    Those of another pid namespace are left alone, for nobody here can tell whether their process lives; so are
    those of a pid that was given out again, until its new process ends too.
    """
    gone = []
    for folder in Path(parent or tempfile.gettempdir()).glob(f"{_PREFIX}{_space()}-*"):
        pid = folder.name.removeprefix(f"{_PREFIX}{_space()}-").partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
            gone.append(folder)
    return gone


def _space() -> str:
    try:
        return "".join(filter(str.isdecimal, os.readlink("/proc/self/ns/pid")))
    except OSError:
        return "0"
