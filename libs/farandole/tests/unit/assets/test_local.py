"""The local store: it keeps the contract of asset stores; what it writes is durable, and its own file is handed out."""

import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import pytest

from farandole.assets import files, local
from farandole.assets.local import LocalAssets
from farandole.events.errors import AssetCorrupt, AssetError, BadInput
from farandole.log.ports import AssetStore
from farandole.testing.asset_contract import CASES
from farandole.testing.asset_contract.given import CONTENT, DIGEST
from farandole.testing.asset_contract.rig import LONG_AGO


@pytest.fixture
def store(tmp_path: Path) -> LocalAssets:
    return LocalAssets(tmp_path / "store")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.bin"
    path.write_bytes(CONTENT)
    return path


def stored_files(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "store").rglob("*") if path.is_file())


def tampered(path: Path, content: bytes) -> None:
    """Overwrite a stored file and give it back the times that it had."""
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(0o444)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


class LocalRig:
    """A folder of its own."""

    large = 3 * 1024 * 1024 + 17

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder / "case", folder / "store"
        self.folder.mkdir()

    def open(self) -> AssetStore:
        return LocalAssets(self.root)

    def source(self) -> str:
        return f"from farandole.assets.local import LocalAssets\nstore = LocalAssets(Path({str(self.root)!r}))"

    def contents(self) -> list[str]:
        return sorted(path.parent.name + path.name for path in self.root.rglob("*") if path.is_file())

    def damage(self, uri: str, content: bytes) -> None:
        tampered(self._place(uri), content)

    def age(self, uri: str) -> None:
        os.utime(self._place(uri), (LONG_AGO, LONG_AGO))

    def _place(self, uri: str) -> Path:
        return self.root / "sha256" / uri[-64:-62] / uri[-62:]


@pytest.mark.parametrize("name", CASES)
def test_the_local_store_keeps_the_contract(name: str, tmp_path: Path) -> None:
    """Every case, on a fresh folder."""
    CASES[name](LocalRig(tmp_path))


def test_content_is_one_file_at_the_place_of_its_digest(store: LocalAssets, source: Path, tmp_path: Path) -> None:
    """The same one whoever puts it again, with no link and nothing temporary beside it."""
    path = store.path(store.put(source, "image/tiff"))
    assert path == tmp_path / "store" / "sha256" / DIGEST[:2] / DIGEST[2:]
    before = path.stat()
    LocalAssets(tmp_path / "store").put(source, "a/b")
    assert (path.stat().st_ino, path.stat().st_nlink) == (before.st_ino, 1)
    assert stored_files(tmp_path) == [path]


def test_who_has_verified_a_file_sees_that_it_changed(store: LocalAssets, source: Path) -> None:
    """Although its times were set back, and its length is the same."""
    asset = store.put(source, "a/b")
    tampered(store.path(asset), b"twenty bytes, nearlY")
    with pytest.raises(AssetCorrupt, match=DIGEST):
        store.path(asset)


def test_a_put_that_is_refused_makes_no_folder(store: LocalAssets, tmp_path: Path) -> None:
    """Nothing at all is left."""
    with pytest.raises(BadInput):
        store.put(tmp_path / "none", "a/b")
    assert not (tmp_path / "store").exists()


def test_a_folder_or_link_in_place_of_content_is_not_handed_out(store: LocalAssets, source: Path) -> None:
    """Not even a link to the right content: who can place it can change where it leads."""
    asset = store.put(source, "a/b")
    path = store.path(asset)
    path.unlink()
    path.symlink_to(source)
    with pytest.raises(AssetError):
        store.path(asset)
    path.unlink()
    path.mkdir()
    with pytest.raises(AssetError):
        store.path(asset)


def test_a_file_is_hashed_once_a_process_until_it_changes(
    store: LocalAssets, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer's process need not hash again; a new one does so once; any change of the file undoes it."""
    hashed: list[str] = []
    digest = files.digest_of

    def noting(file: FileIO) -> str:
        hashed.append(digest(file))
        return hashed[-1]

    for module in (files, local):
        monkeypatch.setattr(module, "digest_of", noting)
    asset = store.put(source, "a/b")
    hashed.clear()
    store.path(asset)
    assert len(hashed) == 0
    reader = LocalAssets(tmp_path / "store")
    for _ in range(3):
        reader.path(asset)
    assert len(hashed) == 1
    os.utime(reader.path(asset))
    reader.path(asset)
    assert len(hashed) == 2


def test_memory_of_what_was_verified_is_bounded(
    store: LocalAssets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest is forgotten, and verified again when it is asked for."""
    monkeypatch.setattr(files, "_VERIFIED_KEPT", 3)
    for number in range(10):
        (tmp_path / "n").write_text(str(number))
        store.path(store.put(tmp_path / "n", "a/b"))
    assert len(store._verified._known) == 3


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Writes beyond `size` bytes of a file fail, by the system's own limit."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_put_that_cannot_be_written_leaves_nothing(store: LocalAssets, tmp_path: Path) -> None:
    """An AssetError, no file under any name; the same put succeeds when there is room."""
    source = tmp_path / "large"
    source.write_bytes(os.urandom(200_000))
    with full_disk(100_000), pytest.raises(AssetError, match="nothing was stored"):
        store.put(source, "a/b")
    assert stored_files(tmp_path) == []
    assert store.path(store.put(source, "a/b")).read_bytes() == source.read_bytes()


def test_content_appears_only_after_it_is_synced(
    store: LocalAssets, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fsync of the file, rename, fsync of its folder; each folder's entry was synced before."""
    calls: list[str] = []
    fsync, rename = os.fsync, os.rename

    def noting_fsync(fd: int) -> None:
        calls.append(f"fsync {Path(os.readlink(f'/proc/self/fd/{fd}')).name}")
        fsync(fd)

    def noting_rename(old: str, new: Path) -> None:
        calls.append("rename")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(os, "rename", noting_rename)
    store.put(source, "a/b")
    at = calls.index("rename")
    temporary = next(i for i, call in enumerate(calls) if call.startswith("fsync tmp"))
    assert temporary < at
    assert f"fsync {DIGEST[:2]}" in calls[at:]
    assert {"fsync store", "fsync sha256"} <= set(calls[:at])


def test_a_failed_fsync_stores_nothing(
    store: LocalAssets, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pages may be gone: the file is dropped, and a later put writes them anew."""
    fsync = os.fsync

    def failing(fd: int) -> None:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(5, "Input/output error")
        fsync(fd)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing)
        with pytest.raises(AssetError, match="Input/output error"):
            store.put(source, "a/b")
    assert stored_files(tmp_path) == []
    assert store.path(store.put(source, "a/b")).read_bytes() == CONTENT


def test_a_killed_writer_leaves_nothing_that_is_read_and_is_swept(tmp_path: Path) -> None:
    """SIGKILL while writing: nothing under any digest; the next writer removes the rest once it is stale."""
    code = (
        "import os, sys, time; from pathlib import Path; from farandole.assets import local\n"
        "local.digest_of = lambda file: (print('writing', flush=True), time.sleep(60))\n"
        "local.LocalAssets(Path(sys.argv[1])).put(Path(sys.argv[2]), 'a/b')"
    )
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    argv = [sys.executable, "-c", code, str(tmp_path / "store"), str(source)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=with_path()) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        [left] = stored_files(tmp_path)
        os.utime(left, (0, 0))
        LocalAssets(tmp_path / "store").put(source, "a/b")
        assert left.exists(), "its writer lives"
        writer.send_signal(signal.SIGKILL)
    LocalAssets(tmp_path / "store").put(source, "a/b")
    assert [path.parent.parent.name for path in stored_files(tmp_path)] == ["sha256"]


def test_a_young_temporary_file_is_not_taken_for_a_dead_writers(tmp_path: Path, source: Path) -> None:
    """Between its creation and its lock, a writer's file must be safe from others."""
    folder = tmp_path / "store" / "tmp"
    folder.mkdir(parents=True)
    (folder / "young").touch()
    LocalAssets(tmp_path / "store").put(source, "a/b")
    assert (folder / "young").exists()


def test_a_writers_file_is_locked_while_it_is_written(
    store: LocalAssets, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is how a sweeper knows that its writer lives."""
    locked: list[bool] = []
    digest = files.digest_of

    def looking(file: FileIO) -> str:
        [path] = stored_files(tmp_path)
        with path.open("rb") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                locked.append(False)
            except BlockingIOError:
                locked.append(True)
        return digest(file)

    monkeypatch.setattr(local, "digest_of", looking)
    store.put(source, "a/b")
    assert locked == [True]


def with_path() -> dict[str, str]:
    """The environment, with this process's import path."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
