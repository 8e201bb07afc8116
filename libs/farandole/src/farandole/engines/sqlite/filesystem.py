"""Where a log may lie: its directory and file are made private, and network file systems are refused."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

import psutil

from farandole.events.errors import ConfigError, LogFormatError

Mount = tuple[str, str]
"""Mount point and file system type."""

# On these, locks and shared memory do not reach the other machines (or do not work at all), and WAL needs both:
# https://sqlite.org/wal.html, "does not work over a network filesystem".
NETWORK = frozenset(
    "nfs nfs4 cifs smb smb2 smb3 smbfs lustre afs ceph beegfs gpfs glusterfs fuse.glusterfs fuse.sshfs "
    "fuse.ceph fuse.s3fs fuse.rclone ncpfs 9p drvfs panfs orangefs".split()
)


def _real(path: Path) -> Path:
    try:
        return path.expanduser().resolve()
    except RuntimeError as error:  # what pathlib makes of ELOOP, and of a home that nobody has
        raise ConfigError(f"log {path}: {error}; give another path") from error


def prepare(path: Path) -> Path:
    """Make directory (0700) and file (0600) where they are missing; the file's real path.

    Raises LogFormatError on a refused file system, ConfigError where the path cannot be used.
    """
    try:
        path = _real(path)
        refuse_network(path, mounts())
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        regular = stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        raise ConfigError(f"log {path}: {error.strerror}; give a file in a directory that can be written") from error
    if not regular:
        raise ConfigError(f"log {path} is no regular file; give another path")
    return path


def mounts() -> list[Mount]:
    """Every mount of this machine, in the order in which they were made."""
    return [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]


def refuse_network(path: Path, table: Iterable[Mount]) -> None:
    """Raise LogFormatError where `path` (absolute, resolved) lies on a network file system."""
    kind = _kind_of(path, table)
    if kind.lower() in NETWORK:
        raise LogFormatError(
            f"log {path} would lie on {kind}, where the locks that keep it whole do not hold; "
            "put it on a local disk, or use kafka:// for more than one machine"
        )


def _kind_of(path: Path, table: Iterable[Mount]) -> str:
    """The type of the file system that holds `path`: the longest mount point, of equal ones the last mounted."""
    longest, kind = -1, ""
    for point, fstype in table:
        parts = Path(point).parts
        if len(parts) >= longest and path.parts[: len(parts)] == parts:
            longest, kind = len(parts), fstype
    return kind
