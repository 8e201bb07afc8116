"""Images of a minimal Debian, made with debootstrap; kept as archives in the user's cache."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from scripts.containers.client import Engine
from scripts.containers.errors import NoBase
from scripts.containers.places import cache, locked

Release = Literal["bookworm", "trixie"]

_LIMIT = 900.0  # seconds of debootstrap; one minute where the network is quick
_TAIL = 1_500
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SCRIPT = Path(__file__).with_name("debian.sh")
_REMEDY = "as root on Debian, apt-get install debootstrap; or name a base that the engine can pull"
_VERSION = 2  # of how they are made


def debian_image(engine: Engine, release: Release, packages: Sequence[str]) -> str:
    """The name of an image of this release with these packages. Raises NoBase where it cannot be made."""
    wanted = ",".join(sorted(packages))
    digest = hashlib.sha256(f"{_VERSION} {release} {wanted}".encode()).hexdigest()[:12]
    name = f"farandole-debian:{release}-{digest}"
    if not engine.has_image(name):
        archive = _archive(release, wanted, digest)
        change = ["--change", f"ENV {_PATH}", "--change", 'CMD ["/bin/sh"]']
        engine.docker("import", *change, str(archive), name)
    return name


def _archive(release: Release, packages: str, digest: str) -> Path:
    """The whole file system of such an image; made by one caller at a time."""
    path = cache() / f"debian-{release}-{digest}.tar"
    with locked(path.with_suffix(".lock")):
        if not path.exists():
            _make(release, packages, path)
    return path


def _make(release: Release, packages: str, path: Path) -> None:
    program = shutil.which("debootstrap", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if program is None or os.geteuid() != 0:
        why = "debootstrap is not installed" if program is None else "only root can make one"
        raise NoBase(f"no Debian {release} to begin with: {why}; {_REMEDY}")
    draft = path.with_suffix(".draft")
    _run(["unshare", "--mount", "--propagation", "slave", "/bin/sh", str(_SCRIPT), str(draft), release, packages])
    draft.replace(path)


def _run(command: Sequence[str]) -> None:
    """Raises NoBase with the end of what it said."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoBase(f"{_SCRIPT.name} did not end within {_LIMIT:.0f} s") from None
    if done.returncode:
        raise NoBase(f"{_SCRIPT.name} ended with {done.returncode}:\n{done.stdout[-_TAIL:].strip()}")
