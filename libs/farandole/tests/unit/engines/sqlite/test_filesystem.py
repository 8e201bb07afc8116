"""A log is private, and lies only where its locks hold."""

import os
import stat
from pathlib import Path

import pytest

from farandole.engines.sqlite import filesystem
from farandole.engines.sqlite.filesystem import prepare, refuse_network
from farandole.engines.sqlite.log import SqliteLog
from farandole.events.errors import ConfigError, LogFormatError
from farandole.log.record import TopicSpec
from libs.farandole.tests.unit.engines.sqlite.support import WORK, numbered, opened

TABLE = [
    ("/", "ext4"),
    ("/data", "nfs4"),
    ("/data/local", "xfs"),
    ("/mnt/share", "cifs"),
    ("/scratch", "lustre"),
    ("/over", "ext4"),
    ("/over", "nfs"),
    ("/under", "nfs"),
    ("/under", "tmpfs"),
]


async def test_directory_and_files_are_private(tmp_path: Path) -> None:
    """Whatever the umask: 0700 for a directory that was made, 0600 for every file beside the log too."""
    before = os.umask(0)
    try:
        async with opened(tmp_path / "new" / "log.db", TopicSpec("work")) as log:
            await log.append(numbered(1))
            await log.subscribe(WORK)
            files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in log.path.parent.iterdir()}
    finally:
        os.umask(before)
    assert files == dict.fromkeys(("log.db", "log.db-wal", "log.db-shm", "log.db-lock"), 0o600)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


@pytest.mark.parametrize("path", ["/data/log.db", "/data/deep/er/log.db", "/mnt/share/l", "/scratch/x", "/over/x"])
def test_network_file_systems_are_refused(path: str) -> None:
    """NFS, CIFS and Lustre by name, also where mounted over something local; the remedy is said."""
    with pytest.raises(LogFormatError, match=r"would lie on (nfs4?|cifs|lustre).*put it on a local disk"):
        refuse_network(Path(path), TABLE)


@pytest.mark.parametrize("path", ["/log.db", "/data/local/log.db", "/database/log.db", "/mnt/shared/l", "/under/x"])
def test_local_file_systems_are_not(path: str) -> None:
    """The longest mount point decides, by whole names; of equal ones the last mounted."""
    refuse_network(Path(path), TABLE)


async def test_opening_looks_at_the_mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log on NFS is refused before anything is written there."""
    monkeypatch.setattr(filesystem, "mounts", lambda: [("/", "ext4"), (str(tmp_path), "nfs")])
    with pytest.raises(LogFormatError, match="nfs"):
        await SqliteLog.open(tmp_path / "deep" / "log.db")
    assert os.listdir(tmp_path) == []


def test_the_mounts_of_this_machine_are_read() -> None:
    """There is a root, and it has a type."""
    assert any(point == "/" and kind for point, kind in filesystem.mounts())


def test_a_link_is_followed(tmp_path: Path) -> None:
    """Side files stand beside the file itself, or two names of one log would not see each other."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link.db").symlink_to(tmp_path / "real" / "log.db")
    assert prepare(tmp_path / "link.db") == tmp_path / "real" / "log.db"


def test_a_directory_or_pipe_is_no_log(tmp_path: Path) -> None:
    """Refused in one line, and not waited for."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "pipe" / "below"):
        with pytest.raises(ConfigError, match="give a"):
            prepare(path)
