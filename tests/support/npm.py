"""Node packages of the tests: pinned by a lock file beside what runs them, kept in a cache under the user's home."""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.support.fetched import Recipe, fetched, missing

_REQUIRED = "FARANDOLE_REQUIRE_NODE"
_MANIFESTS = ("package.json", "package-lock.json")
# Scripts of packages are not run: one of them would call home.
_INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
_LIMIT = 300.0  # seconds for some 170 small packages, 55 MB


def installed(source: Path, programs: Sequence[str]) -> Path:
    """A folder with the packages that `source` pins, and its programs; made on the first call on this machine.

    By one caller at a time. Skips, loudly, where there is no Node or packages cannot be had, unless that is required.
    """
    if shutil.which("node") is None:
        missing("node is not installed (on Debian: apt-get install nodejs npm)", _REQUIRED)
    files = [source / name for name in (*_MANIFESTS, *programs)]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
    what, place = f"what {source.name} needs", f"{source.name}/{digest}"
    return fetched(Recipe(what, place, _INSTALL, needs=["npm"], required=_REQUIRED, limit=_LIMIT, files=files))
