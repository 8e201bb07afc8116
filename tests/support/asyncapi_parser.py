"""AsyncAPI's own parser, for Node: pinned in `asyncapi/`, installed by npm into a cache under the user's home."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

_HERE = Path(__file__).with_name("asyncapi")
_FILES = ("package.json", "package-lock.json", "parse.mjs")
_REQUIRED = "FARANDOLE_REQUIRE_NODE"
_INSTALL = 300.0  # seconds for some 170 small packages, 55 MB
_PARSE = 120.0


def parse(documents: Sequence[Path]) -> list[dict[str, Any]]:
    """Of each: whether it is accepted, `problems`, and the version, channels, operations and messages found in it.

    Skips, loudly, where there is no Node or its packages cannot be had, unless that is required.
    """
    argv = ["node", str(_installed() / "parse.mjs"), *map(str, documents)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_PARSE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _installed() -> Path:
    """The folder with the parser; made on the first call on this machine, by one caller at a time."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        _missing("node or npm is not installed (on Debian: apt-get install nodejs npm)")
    digest = hashlib.sha256(b"".join((_HERE / name).read_bytes() for name in _FILES)).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "farandole" / "asyncapi"
    folder = cache / digest
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():  # another process may have been quicker
                _install(folder)
    return folder


def _install(folder: Path) -> None:
    """Under another name first: whoever finds the folder finds all of it."""
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        for name in _FILES:
            shutil.copy(_HERE / name, made / name)
        # Scripts of packages are not run: one of them would call home.
        argv = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            done = subprocess.run(argv, cwd=made, capture_output=True, text=True, timeout=_INSTALL, check=False)
        except subprocess.TimeoutExpired:
            _missing(f"npm did not install the parser within {_INSTALL:g} s")
        if done.returncode:
            _missing(f"npm could not install the parser: {done.stderr.strip()[-500:]}")
        made.rename(folder)


def _missing(said: str) -> None:
    if os.environ.get(_REQUIRED):
        pytest.fail(f"{said}, and {_REQUIRED} is set")
    pytest.skip(said)
