"""kustomize itself: the one that is installed, or one of a pinned version that Go builds into the user's cache."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

VERSION = "v5.7.1"
_MODULE = f"sigs.k8s.io/kustomize/kustomize/v5@{VERSION}"
_REQUIRED = "FARANDOLE_REQUIRE_KUSTOMIZE"
_BUILD = 900.0  # seconds for some 200 packages
_RUN = 120.0


def build(folder: Path) -> str:
    """What kustomize makes of a folder, as YAML. Skips, loudly, where it is not to be had, unless that is required."""
    argv = [_kustomize(), "build", str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_RUN, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _kustomize() -> str:
    there = shutil.which("kustomize")
    if there is not None:
        return there
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "farandole" / "kustomize"
    program = cache / VERSION / "kustomize"
    if not program.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not program.is_file():  # another process may have been quicker
                _make(program.parent)
    return str(program)


def _make(folder: Path) -> None:
    """Under another name first: whoever finds the folder finds all of it."""
    go = shutil.which("go")
    if go is None:
        _missing("no kustomize, and no go that could build it")
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        environment = {**os.environ, "GOBIN": str(made), "GOTOOLCHAIN": "local", "GOFLAGS": ""}
        try:
            done = subprocess.run(
                [go, "install", _MODULE],
                cwd=scratch,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_BUILD,
                check=False,
            )
        except subprocess.TimeoutExpired:
            _missing(f"go did not build {_MODULE} within {_BUILD:g} s")
        if done.returncode:
            _missing(f"go could not build {_MODULE}: {done.stderr.strip()[-500:]}")
        made.rename(folder)


def _missing(said: str) -> NoReturn:
    if os.environ.get(_REQUIRED):
        pytest.fail(f"{said}, and {_REQUIRED} is set")
    pytest.skip(said)
