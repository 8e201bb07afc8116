"""Putting: content is stored whole, once, under its digest, and never follows its source."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from farandole.events.asset import Asset
from farandole.events.errors import BadInput
from farandole.testing.asset_contract.given import CONTENT, DIGEST, URI, refused, written
from farandole.testing.asset_contract.rig import AssetRig, Case
from farandole.testing.contract.checks import expect, same


def an_asset_names_content(rig: AssetRig) -> None:
    """Digest, length and media type; the file cannot be written, and nothing else is in the store."""
    store = rig.open()
    asset = store.put(written(rig), "image/tiff")
    same(asset, Asset(uri=URI, size=len(CONTENT), media_type="image/tiff"), "the asset")
    for reader in (store, rig.open()):
        path = reader.path(asset)
        same((path.read_bytes(), path.stat().st_mode & 0o777), (CONTENT, 0o444), "the file")
    same(rig.contents(), [DIGEST], "what is stored")


def the_same_content_is_stored_once(rig: AssetRig) -> None:
    """Whatever its media type is, and whoever puts it."""
    store, source = rig.open(), written(rig)
    same([store.put(source, "a/b"), rig.open().put(source, "a/b")], [store.put(source, "a/b")] * 2, "assets")
    same(store.put(source, "c/d").media_type, "c/d", "the media type")
    same(rig.contents(), [DIGEST], "what is stored")


def what_is_stored_does_not_follow_its_source(rig: AssetRig) -> None:
    """The owner of the source may go on to write to it: it is a copy, not a link."""
    store, source = rig.open(), written(rig)
    asset = store.put(source, "a/b")
    source.write_bytes(b"something else")
    source.chmod(0o600)
    for reader in (store, rig.open()):
        same(reader.path(asset).read_bytes(), CONTENT, "the content")
        expect(not reader.path(asset).samefile(source), "it is the source")


def threads_and_processes_that_put_the_same_agree(rig: AssetRig) -> None:
    """All succeed with the same asset, and it is there once."""
    source, rounds = written(rig), 5
    code = f"{rig.source()}\nfor _ in range({rounds}): print(store.put(Path({str(source)!r}), 'a/b').uri)"
    argv = [sys.executable, "-c", f"from pathlib import Path\n{code}"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    others = [subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment) for _ in range(2)]
    with ThreadPoolExecutor(4) as threads:
        ours = list(threads.map(lambda _: rig.open().put(source, "a/b").uri, range(2 * rounds)))
    theirs = [uri for other in others for uri in other.communicate(timeout=60)[0].decode().split()]
    same((set(ours) | set(theirs), len(theirs)), ({URI}, 2 * rounds), "what was put")
    same(rig.contents(), [DIGEST], "what is stored")
    same(rig.open().path(URI).read_bytes(), CONTENT, "the content")


def empty_content_is_content(rig: AssetRig) -> None:
    """Size 0, and the digest of nothing."""
    asset = rig.open().put(written(rig, b""), "a/b")
    same((asset.size, rig.open().path(asset).read_bytes()), (0, b""), "size and content")


def a_file_whose_size_the_system_does_not_know_is_stored_whole(rig: AssetRig) -> None:
    """Files of /proc say that they have 0 bytes; what can be read of them counts."""
    asset = rig.open().put(Path("/proc/self/status"), "text/plain")
    expect(asset.size > 100, f"{asset.size} bytes")
    expect(rig.open().path(asset).read_bytes().startswith(b"Name:"), "its begin is not there")


def a_large_file_of_another_file_system_is_stored_whole(rig: AssetRig) -> None:
    """More than goes in one piece, and not copied within one file system."""
    content = os.urandom(rig.large)
    other = Path("/dev/shm" if Path("/dev/shm").is_dir() else rig.folder) / f"farandole-{os.getpid()}"
    try:
        other.write_bytes(content)
        expect(rig.open().path(rig.open().put(other, "a/b")).read_bytes() == content, "other content")
    finally:
        other.unlink(missing_ok=True)


def only_regular_readable_files_are_stored(rig: AssetRig) -> None:
    """A missing file, folder, FIFO, device or NUL is bad input, named, and at once: nothing waits for a FIFO."""
    os.mkfifo(rig.folder / "fifo")
    store = rig.open()
    for path in (rig.folder / "none", rig.folder, rig.folder / "fifo", Path("/dev/zero"), Path("a\0b\n")):
        refused(BadInput, store.put, path, "a/b", said=ascii(str(path)))
    same(rig.contents(), [], "what is stored")


CASES: tuple[Case, ...] = (
    an_asset_names_content,
    the_same_content_is_stored_once,
    what_is_stored_does_not_follow_its_source,
    threads_and_processes_that_put_the_same_agree,
    empty_content_is_content,
    a_file_whose_size_the_system_does_not_know_is_stored_whole,
    a_large_file_of_another_file_system_is_stored_whole,
    only_regular_readable_files_are_stored,
)
