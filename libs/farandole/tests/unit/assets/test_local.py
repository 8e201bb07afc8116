"""The content-addressed store: what is put is whole, durable, read-only and verified."""

import fcntl
import hashlib
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import pytest

from farandole.assets import local
from farandole.assets.local import LocalAssets
from farandole.events.asset import Asset, asset_uri
from farandole.events.errors import AssetCorrupt, AssetError, AssetMissing, AssetRefused, BadInput

CONTENT = b"twenty bytes, nearly"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


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


def test_an_asset_names_content_and_its_file_is_read_only(store: LocalAssets, source: Path, tmp_path: Path) -> None:
    """Digest, length and media type; one file, at its digest's place, that nobody may write; no temporary left."""
    asset = store.put(source, "image/tiff")
    assert asset == Asset(uri=f"asset:sha256/{DIGEST}", size=len(CONTENT), media_type="image/tiff")
    path = store.path(asset)
    assert path == tmp_path / "store" / "sha256" / DIGEST[:2] / DIGEST[2:]
    assert path.read_bytes() == CONTENT
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert stored_files(tmp_path) == [path]


def test_putting_the_same_content_again_changes_nothing(store: LocalAssets, source: Path, tmp_path: Path) -> None:
    """The same file stays, under whatever media type it is named."""
    first = store.path(store.put(source, "a/b"))
    inode = first.stat().st_ino
    assert store.put(source, "c/d").media_type == "c/d"
    assert LocalAssets(tmp_path / "store").put(source, "a/b").uri == asset_uri(DIGEST)
    assert first.stat().st_ino == inode
    assert stored_files(tmp_path) == [first]


def test_what_is_stored_does_not_follow_its_source(store: LocalAssets, source: Path) -> None:
    """The owner of the source may go on to write to it: it is a copy, not a link."""
    asset = store.put(source, "a/b")
    source.write_bytes(b"something else")
    source.chmod(0o600)
    assert store.path(asset).read_bytes() == CONTENT
    assert store.path(asset).stat().st_nlink == 1


def test_concurrent_puts_of_threads_and_processes_agree(store: LocalAssets, source: Path, tmp_path: Path) -> None:
    """All succeed with the same asset; one file is there, and no temporary one."""
    code = (
        "import sys; from pathlib import Path; from farandole.assets.local import LocalAssets\n"
        "s = LocalAssets(Path(sys.argv[1]))\n"
        "for _ in range(20): print(s.put(Path(sys.argv[2]), 'a/b').uri)"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / "store"), str(source)]
    others = [subprocess.Popen(argv, stdout=subprocess.PIPE, env=with_path()) for _ in range(2)]
    with ThreadPoolExecutor(4) as threads:
        ours = list(threads.map(lambda _: LocalAssets(tmp_path / "store").put(source, "a/b").uri, range(40)))
    theirs = [uri for other in others for uri in other.communicate(timeout=30)[0].decode().split()]
    assert set(ours) | set(theirs) == {asset_uri(DIGEST)}
    assert len(theirs) == 40
    assert stored_files(tmp_path) == [store.path(asset_uri(DIGEST))]


def test_empty_content_is_content(store: LocalAssets, tmp_path: Path) -> None:
    """Size 0, and the digest of nothing."""
    (tmp_path / "empty").touch()
    asset = store.put(tmp_path / "empty", "a/b")
    assert asset.size == 0
    assert store.path(asset).read_bytes() == b""


def test_files_whose_size_the_system_does_not_know_are_stored_whole(store: LocalAssets) -> None:
    """Files of /proc say that they have 0 bytes; what can be read of them counts."""
    asset = store.put(Path("/proc/self/status"), "text/plain")
    assert asset.size > 100
    assert store.path(asset).read_bytes().startswith(b"Name:")


def test_a_large_file_on_another_file_system_is_stored_whole(store: LocalAssets, tmp_path: Path) -> None:
    """More than one chunk, and not copied within one file system."""
    content = os.urandom(3 * 1024 * 1024 + 17)
    other = Path("/dev/shm" if Path("/dev/shm").is_dir() else tmp_path) / f"farandole-{os.getpid()}"
    try:
        other.write_bytes(content)
        assert store.path(store.put(other, "a/b")).read_bytes() == content
    finally:
        other.unlink(missing_ok=True)


@pytest.mark.parametrize("damage", [b"twenty bytes, nearlY", b"twenty", b"", CONTENT + b"!"])
def test_content_that_is_not_what_its_name_says_is_never_handed_out(
    store: LocalAssets, source: Path, tmp_path: Path, damage: bytes
) -> None:
    """Refused by a process that verified it before and by a new one, though its times were set back."""
    asset = store.put(source, "a/b")
    tampered(store.path(asset), damage)
    for reader in (store, LocalAssets(tmp_path / "store")):
        with pytest.raises(AssetCorrupt, match=DIGEST):
            reader.path(asset)
        with pytest.raises(AssetCorrupt, match=DIGEST):
            reader.path(asset.uri)


def test_a_length_that_does_not_fit_is_corrupt_although_the_digest_fits(store: LocalAssets, source: Path) -> None:
    """The asset's length counts too; a URI alone has none."""
    asset = store.put(source, "a/b")
    with pytest.raises(AssetCorrupt, match="20 bytes, not 21"):
        store.path(asset.model_copy(update={"size": 21}))
    assert store.path(asset.uri).read_bytes() == CONTENT


def test_putting_damaged_content_again_heals_it(store: LocalAssets, source: Path) -> None:
    """A put is the remedy that the error names."""
    asset = store.put(source, "a/b")
    tampered(store.path(asset), b"twenty bytes, nearlY")
    assert store.put(source, "a/b") == asset
    assert store.path(asset).read_bytes() == CONTENT


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
    digest = local._digest

    def noting(file: FileIO) -> str:
        hashed.append(digest(file))
        return hashed[-1]

    monkeypatch.setattr(local, "_digest", noting)
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
    monkeypatch.setattr(local, "_VERIFIED_KEPT", 3)
    for number in range(10):
        (tmp_path / "n").write_text(str(number))
        store.path(store.put(tmp_path / "n", "a/b"))
    assert len(store._verified) == 3


def test_content_that_is_not_there_is_missing(store: LocalAssets) -> None:
    """A retryable error, that names the content and the store; also where there is no store yet."""
    with pytest.raises(AssetMissing, match=f"asset:sha256/{DIGEST} is not in the store"):
        store.path(asset_uri(DIGEST))


@pytest.mark.parametrize("uri", ["", "asset:sha256/../../etc/passwd", asset_uri(DIGEST.upper()), asset_uri("a" * 63)])
def test_what_is_no_asset_uri_names_no_file(store: LocalAssets, uri: str) -> None:
    """No text becomes a path but 64 hex digits."""
    with pytest.raises(AssetRefused, match="no asset URI"):
        store.path(uri)


def test_only_regular_readable_files_are_stored(store: LocalAssets, tmp_path: Path) -> None:
    """A missing file, folder, FIFO, device or NUL is bad input, named, and at once: nothing waits for a FIFO."""
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "none", tmp_path, tmp_path / "fifo", Path("/dev/zero"), Path("a\0b\n")):
        with pytest.raises(BadInput) as caught:
            store.put(path, "a/b")
        assert ascii(str(path)) in str(caught.value)
    assert not (tmp_path / "store").exists()


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
        "local._digest = lambda file: (print('writing', flush=True), time.sleep(60))\n"
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


def test_readers_never_see_part_of_a_file(store: LocalAssets, tmp_path: Path) -> None:
    """While contents are put, another thread that looks for them finds nothing or the whole."""
    contents = [bytes([i]) * 300_000 for i in range(8)]
    uris = [asset_uri(hashlib.sha256(content).hexdigest()) for content in contents]
    seen: list[tuple[int, bytes]] = []
    done = threading.Event()

    def look() -> None:
        reader = LocalAssets(tmp_path / "store")
        while not done.is_set():
            for number, uri in enumerate(uris):
                try:
                    seen.append((number, reader.path(uri).read_bytes()[:1]))
                except AssetMissing:
                    time.sleep(0.001)

    thread = threading.Thread(target=look)
    thread.start()
    for number, content in enumerate(contents):
        (tmp_path / f"source{number}").write_bytes(content)
        store.put(tmp_path / f"source{number}", "a/b")
    time.sleep(0.05)
    done.set()
    thread.join()
    assert {number for number, _ in seen} == set(range(8))
    assert all(begin == bytes([number]) for number, begin in seen)


def test_a_writers_file_is_locked_while_it_is_written(
    store: LocalAssets, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is how a sweeper knows that its writer lives."""
    locked: list[bool] = []
    digest = local._digest

    def looking(file: FileIO) -> str:
        [path] = stored_files(tmp_path)
        with path.open("rb") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                locked.append(False)
            except BlockingIOError:
                locked.append(True)
        return digest(file)

    monkeypatch.setattr(local, "_digest", looking)
    store.put(source, "a/b")
    assert locked == [True]


def with_path() -> dict[str, str]:
    """The environment, with this process's import path."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_what_is_removed_is_gone_and_what_was_put_again_stays(store: LocalAssets, source: Path) -> None:
    """Putting content that is there makes it young; what is there is listed with the time at which it was put."""
    asset = store.put(source, "x/y")
    place = store.path(asset)
    os.utime(place, (1e9, 1e9))
    assert [(one.uri, one.size, one.put) for one in store.stored()] == [(asset.uri, len(CONTENT), 1e9)]
    assert not store.remove(asset.uri, 1e9)
    store.put(source, "x/y")
    assert not store.remove(asset.uri, 1e9 + 1)
    os.utime(place, (1e9, 1e9))
    assert store.remove(asset.uri, 1e9 + 1)
    assert not store.remove(asset.uri, 1e9 + 1)
    assert list(store.stored()) == []
    with pytest.raises(AssetMissing):
        store.path(asset)
    assert store.path(store.put(source, "x/y")).read_bytes() == CONTENT


def test_nothing_is_removed_between_being_found_and_being_put(store: LocalAssets, source: Path) -> None:
    """Two at once, over and over: whoever has put content finds it."""
    place = store.path(store.put(source, "x/y"))
    removed = 0
    with ThreadPoolExecutor(2) as threads:
        for _ in range(300):
            os.utime(place, (1e9, 1e9))
            taking = threads.submit(LocalAssets(store._root).remove, f"asset:sha256/{DIGEST}", 1e9 + 1)
            threads.submit(LocalAssets(store._root).put, source, "x/y").result()
            removed += taking.result()
            assert place.read_bytes() == CONTENT
    assert removed, "never were both at work at once"
