"""Node packages of the tests: pinned by a lock file beside what runs them, kept in a cache under the user's home."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

_REQUIRED = "FARANDOLE_REQUIRE_NODE"
_INSTALL = 300.0  # seconds for some 170 small packages, 55 MB
_MANIFESTS = ("package.json", "package-lock.json")


def installed(source: Path, programs: Sequence[str]) -> Path:
    """A folder with the packages that `source` pins, and its programs; made on the first call on this machine.

    By one caller at a time. Skips, loudly, where there is no Node or packages cannot be had, unless that is required.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing("node or npm is not installed (on Debian: apt-get install nodejs npm)")
    files = (*_MANIFESTS, *programs)
    digest = hashlib.sha256(b"".join((source / name).read_bytes() for name in files)).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "farandole" / source.name
    folder = cache / digest
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():  # another process may have been quicker
                _install(source, files, folder)
    return folder


def _install(source: Path, files: Sequence[str], folder: Path) -> None:
    """Under another name first: whoever finds the folder finds all of it."""
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        for name in files:
            shutil.copy(source / name, made / name)
        # Scripts of packages are not run: one of them would call home.
        argv = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            done = subprocess.run(argv, cwd=made, capture_output=True, text=True, timeout=_INSTALL, check=False)
        except subprocess.TimeoutExpired:
            missing(f"npm did not install what {source.name} needs within {_INSTALL:g} s")
        if done.returncode:
            missing(f"npm could not install what {source.name} needs: {done.stderr.strip()[-500:]}")
        made.rename(folder)


def missing(said: str) -> NoReturn:
    """Skips the test, or fails it where that is required."""
    if os.environ.get(_REQUIRED):
        pytest.fail(f"{said}, and {_REQUIRED} is set")
    pytest.skip(said)
