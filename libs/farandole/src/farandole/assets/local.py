"""The asset store on a local file system: one read-only file for each content, named by its digest."""

import fcntl
import hashlib
import os
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from tempfile import mkstemp
from typing import NamedTuple

from farandole.events.asset import Asset, asset_uri, is_asset_uri
from farandole.events.errors import AssetCorrupt, AssetError, AssetMissing, AssetRefused, BadInput
from farandole.files import sync

_VERIFIED_KEPT = 4096  # files whose digest this process remembers to have checked
_STALE_AFTER = 3600.0  # seconds; only then is a temporary file that nobody locks taken for a dead writer's
_CHUNK = 1 << 20
_READ_ONLY = 0o444


class Identity(NamedTuple):
    """What changes whenever a file's content may have: a rewrite with a forged mtime still moves ctime."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int

    @classmethod
    def of(cls, found: os.stat_result) -> "Identity":
        """From a `stat` of the file."""
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class Stored(NamedTuple):
    """What the store holds; `put`: when it was last, in seconds since the epoch."""

    uri: str
    size: int
    put: float


class LocalAssets:
    """Content under `root`, as `sha256/ab/cdef…`: an AssetStore that threads and processes may share.

    A file appears whole or not at all, and durably: written beside, synced, renamed, its folder synced. What
    is stored is read-only and never changes. A process hashes each file when it first opens it, and again
    whenever the file changed since.
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.abspath(root))
        self._verified: OrderedDict[str, Identity] = OrderedDict()
        self._lock = threading.Lock()
        self._folders: set[Path] = set()
        self._swept = False

    def put(self, path: Path, media_type: str) -> Asset:
        """Store a file's content; returns when it is durable and complete. Idempotent.

        The file is copied, never linked: its owner may go on to change it. Content of the same digest that was
        damaged in the store is replaced. Raises BadInput where `path` is no readable regular file, AssetError
        where the store cannot be written; then nothing was stored.
        """
        with _readable(path) as source, self._storing(path):
            self._sweep()
            with self._temporary() as (file, name):
                _copy(source, file)
                digest = _digest(file)
                asset = Asset(uri=asset_uri(digest), size=file.tell(), media_type=media_type)
                with self._guarding(digest, fcntl.LOCK_SH):
                    if not (self._holds(asset) and self._renew(digest)):
                        self._keep(file, name, digest)
                # Also where it was there already: who put it may not have come to this yet.
                sync(self._place(digest).parent)
        return asset

    def path(self, asset: Asset | str) -> Path:
        """A local file with the verified content; not to be written. Raises AssetMissing, AssetCorrupt.

        Of an asset URI without its Asset only the digest is verified.
        """
        uri, size = (asset.uri, asset.size) if isinstance(asset, Asset) else (asset, None)
        if not is_asset_uri(uri):
            raise AssetRefused(f"{uri[:200]!a} is no asset URI: asset:sha256/ and 64 hex digits in lower case")
        digest = uri.rpartition("/")[2]
        path = self._place(digest)
        self._verify(path, uri=uri, digest=digest, size=size)
        return path

    def stored(self) -> Iterator[Stored]:
        """All content, as it is found while others go on."""
        with suppress(FileNotFoundError):
            for path in sorted((self._root / "sha256").glob("??/*")):
                with suppress(FileNotFoundError):
                    found = path.lstat()
                    uri = asset_uri(path.parent.name + path.name)
                    if is_asset_uri(uri):
                        yield Stored(uri, found.st_size, found.st_mtime)

    def remove(self, uri: str, before: float) -> bool:
        """Remove content that nobody has put since a time (seconds); whether it was. Raises AssetError."""
        digest = uri.rpartition("/")[2]
        path = self._place(digest)
        try:
            with self._guarding(digest, fcntl.LOCK_EX):
                if path.lstat().st_mtime >= before:
                    return False
                path.unlink()
                sync(path.parent)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise AssetError(f"{uri} cannot be removed from {self._root}: {error.strerror}") from error
        return True

    def _place(self, digest: str) -> Path:
        # Folders of 256: a million files make folders of 4,000, which every file system handles.
        return self._root / "sha256" / digest[:2] / digest[2:]

    def _holds(self, asset: Asset) -> bool:
        try:
            self.path(asset)
        except (AssetMissing, AssetCorrupt):
            return False
        return True

    @contextmanager
    def _guarding(self, digest: str, kind: int) -> Iterator[None]:
        """Shared by those who put content beside its like, for the one who removes must not come in between."""
        folder = self._place(digest).parent
        self._make_folder(folder)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, kind)
            yield
        finally:
            os.close(fd)

    def _renew(self, digest: str) -> bool:
        """What is there counts as put now; whether that could be said, for it may be another user's."""
        place = self._place(digest)
        try:
            os.utime(place)
        except PermissionError:
            return False
        self._remember(digest, Identity.of(os.stat(place)))
        return True

    def _keep(self, file: FileIO, name: str, digest: str) -> None:
        """Fsync and rename. A failed fsync is not tried again on this file: the file is dropped."""
        os.fchmod(file.fileno(), _READ_ONLY)
        os.fsync(file.fileno())
        place = self._place(digest)
        self._make_folder(place.parent)
        os.rename(name, place)
        self._remember(digest, Identity.of(os.fstat(file.fileno())))

    def _verify(self, path: Path, *, uri: str, digest: str, size: int | None) -> None:
        try:
            file = _open_regular(path, os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError):
            remedy = "put it there, or wait for it"
            raise AssetMissing(f"{uri} is not in the store {self._root}; {remedy}") from None
        except OSError as error:
            raise AssetError(f"{uri} cannot be read: {error.strerror}: {path}") from error
        if file is None:
            raise AssetCorrupt(f"{uri} is no file: {path}; remove that, and put the content again")
        with file:
            before = os.fstat(file.fileno())
            if size is not None and before.st_size != size:
                raise _corrupt(uri, path, f"{before.st_size} bytes, not {size}")
            with self._lock:
                known = self._verified.get(digest)
            if known == Identity.of(before):
                return
            if (found := _digest(file)) != digest:
                raise _corrupt(uri, path, f"digest {found}")
        self._remember(digest, Identity.of(before))

    def _remember(self, digest: str, identity: Identity) -> None:
        with self._lock:
            self._verified[digest] = identity
            self._verified.move_to_end(digest)
            while len(self._verified) > _VERIFIED_KEPT:
                self._verified.popitem(last=False)

    @contextmanager
    def _temporary(self) -> Iterator[tuple[FileIO, str]]:
        """A locked file on the store's file system; gone afterwards unless it was renamed."""
        folder = self._root / "tmp"
        self._make_folder(folder)
        fd, name = mkstemp(dir=folder)
        with open(fd, "w+b", buffering=0) as file:
            fcntl.flock(fd, fcntl.LOCK_EX)
            try:
                yield file, name
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(name)

    @contextmanager
    def _storing(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise AssetError(
                f"{_shown(path)} cannot be stored in {self._root}: {error.strerror}; nothing was stored"
            ) from error

    def _make_folder(self, folder: Path) -> None:
        """Once a process also for folders that are there: who made them may not have synced them yet."""
        if folder in self._folders and folder.is_dir():
            return
        if folder != self._root:
            self._make_folder(folder.parent)
        folder.mkdir(parents=folder == self._root, exist_ok=True)
        sync(folder.parent)
        self._folders.add(folder)

    def _sweep(self) -> None:
        """Once a process: remove what writers that were killed left. A living writer holds its lock."""
        with self._lock:
            swept, self._swept = self._swept, True
        if swept:
            return
        with suppress(FileNotFoundError):
            for entry in os.scandir(self._root / "tmp"):
                with suppress(FileNotFoundError, BlockingIOError):
                    if time.time() - entry.stat().st_mtime > _STALE_AFTER:
                        _remove_unlocked(entry.path)


def _remove_unlocked(path: str) -> None:
    with open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)


@contextmanager
def _readable(path: Path) -> Iterator[FileIO]:
    try:
        file = _open_regular(path)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"{_shown(path)} cannot be read: {why}; name a readable file") from error
    if file is None:
        raise BadInput(f"{_shown(path)} is a folder, device or pipe; name a regular file")
    with file:
        yield file


def _open_regular(path: Path, flags: int = 0) -> FileIO | None:
    """To read; None: it is no regular file. Without O_NONBLOCK, a FIFO would make us wait for its writer."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return FileIO(fd)
    os.close(fd)
    return None


def _copy(source: FileIO, target: FileIO) -> None:
    """In the kernel as far as that goes (with reflinks, blocks are then shared), the rest through memory."""
    with suppress(AttributeError, OSError):  # macOS; two file systems; a real error comes again below
        while os.copy_file_range(source.fileno(), target.fileno(), 1 << 30):
            pass
    while chunk := source.read(_CHUNK):
        view = memoryview(chunk)
        while view:
            view = view[target.write(view) :]


def _digest(file: FileIO) -> str:
    """Of the whole file, which is then at its end."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def _corrupt(uri: str, path: Path, found: str) -> AssetCorrupt:
    return AssetCorrupt(f"{uri} has other content ({found}): {path}; put the right content again")


def _shown(path: Path) -> str:
    return ascii(str(path)[:200])
