"""The asset store on a local file system: one read-only file for each content, named by its digest."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from farandole.assets.drafts import Drafts
from farandole.assets.files import READ_ONLY, Verified, Wanted, copy, digest_of, readable, storing
from farandole.events.asset import Asset, asset_uri, is_asset_uri
from farandole.events.errors import AssetCorrupt, AssetError, AssetMissing
from farandole.files import sync
from farandole.log.ports import Stored


class LocalAssets:
    """Content under `root`, as `sha256/ab/cdef…`: an AssetStore that threads and processes may share.

    A file appears whole or not at all, and durably: written beside, synced, renamed, its folder synced. What
    is stored is read-only and never changes. A process hashes each file when it first opens it, and again
    whenever the file changed since.
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.abspath(root))
        self._verified = Verified()
        self._drafts = Drafts(self._root / "tmp")
        self._folders: set[Path] = set()

    def put(self, path: Path, media_type: str) -> Asset:
        """Store a file's content; returns when it is durable and complete. Idempotent.

        The file is copied, never linked: its owner may go on to change it. Content of the same digest that was
        damaged in the store is replaced. Raises BadInput where `path` is no readable regular file, AssetError
        where the store cannot be written; then nothing was stored.
        """
        with readable(path) as source, storing(path, self._root):
            self._drafts.sweep()
            self._make_folder(self._drafts.folder)
            with self._drafts.new() as (file, name):
                copy(source, file)
                digest = digest_of(file)
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
        wanted = Wanted.of(asset)
        path = self._place(wanted.digest)
        try:
            self._verified.check(path, wanted)
        except FileNotFoundError:
            remedy = "put it there, or wait for it"
            raise AssetMissing(f"{wanted.uri} is not in the store {self._root}; {remedy}") from None
        return path

    def release(self, path: Path) -> None:
        """Nothing is to be done: what is handed out is the store's own file, which stays."""

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
        digest = Wanted.of(uri).digest
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
        self._verified.remember(digest, os.stat(place))
        return True

    def _keep(self, file: FileIO, name: str, digest: str) -> None:
        """Fsync and rename. A failed fsync is not tried again on this file: the file is dropped."""
        os.fchmod(file.fileno(), READ_ONLY)
        os.fsync(file.fileno())
        place = self._place(digest)
        self._make_folder(place.parent)
        os.rename(name, place)
        self._verified.remember(digest, os.fstat(file.fileno()))

    def _make_folder(self, folder: Path) -> None:
        """Once a process also for folders that are there: who made them may not have synced them yet."""
        if folder in self._folders and folder.is_dir():
            return
        if folder != self._root:
            self._make_folder(folder.parent)
        folder.mkdir(parents=folder == self._root, exist_ok=True)
        sync(folder.parent)
        self._folders.add(folder)
