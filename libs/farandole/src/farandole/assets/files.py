"""Regular files and their digests: what may be read, how it is copied, and what was verified already."""

import hashlib
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from farandole.events.asset import Asset, is_asset_uri
from farandole.events.errors import AssetCorrupt, AssetError, AssetRefused, BadInput

READ_ONLY = 0o444
_VERIFIED_KEPT = 4096  # files whose digest this process remembers to have checked
_CHUNK = 1 << 20


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


class Wanted(NamedTuple):
    """Content that somebody asks for. `size`: None where only its URI is known."""

    uri: str
    size: int | None

    @classmethod
    def of(cls, asset: Asset | str) -> "Wanted":
        """Raises AssetRefused for what is no asset URI."""
        wanted = cls(asset.uri, asset.size) if isinstance(asset, Asset) else cls(asset, None)
        if not is_asset_uri(wanted.uri):
            raise AssetRefused(f"{wanted.uri[:200]!a} is no asset URI: asset:sha256/ and 64 hex digits in lower case")
        return wanted

    @property
    def digest(self) -> str:
        """64 hex digits."""
        return self.uri.rpartition("/")[2]


class Verified:
    """Which files this process has found to hold what their names say; whatever changes is hashed again.

    `linked`: the files get further names and their time of access is set, which moves ctime; it is passed over.
    """

    def __init__(self, *, linked: bool = False) -> None:
        self._known: OrderedDict[str, Identity] = OrderedDict()
        self._lock = threading.Lock()
        self._linked = linked

    def check(self, path: Path, wanted: Wanted) -> None:
        """Returns where the file holds what is wanted.

        Raises FileNotFoundError where there is none, AssetCorrupt, AssetError where it cannot be read.
        """
        try:
            file = open_regular(path, os.O_NOFOLLOW)
        except NotADirectoryError as error:
            raise FileNotFoundError(str(error)) from error
        except FileNotFoundError:
            raise
        except OSError as error:
            raise AssetError(f"{wanted.uri} cannot be read: {error.strerror}: {path}") from error
        if file is None:
            raise AssetCorrupt(f"{wanted.uri} is no file: {path}; remove that, and put the content again")
        with file:
            self._check(file, path, wanted)

    def remember(self, digest: str, found: os.stat_result) -> None:
        """The file was hashed just now, and had this digest."""
        with self._lock:
            self._known[digest] = self._identity(found)
            self._known.move_to_end(digest)
            while len(self._known) > _VERIFIED_KEPT:
                self._known.popitem(last=False)

    def _check(self, file: FileIO, path: Path, wanted: Wanted) -> None:
        before = os.fstat(file.fileno())
        if wanted.size not in (None, before.st_size):
            raise corrupt(wanted.uri, str(path), f"{before.st_size} bytes, not {wanted.size}")
        with self._lock:
            known = self._known.get(wanted.digest)
        if known == self._identity(before):
            return
        if (found := digest_of(file)) != wanted.digest:
            raise corrupt(wanted.uri, str(path), f"digest {found}")
        self.remember(wanted.digest, before)

    def _identity(self, found: os.stat_result) -> Identity:
        identity = Identity.of(found)
        return identity._replace(changed=0) if self._linked else identity


@contextmanager
def readable(path: Path) -> Iterator[FileIO]:
    """A regular file to read. Raises BadInput, naming it, for whatever else the path names."""
    try:
        file = open_regular(path)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"{shown(path)} cannot be read: {why}; name a readable file") from error
    if file is None:
        raise BadInput(f"{shown(path)} is a folder, device or pipe; name a regular file")
    with file:
        yield file


@contextmanager
def storing(path: Path, where: object) -> Iterator[None]:
    """What the system refuses meanwhile becomes an AssetError."""
    try:
        yield
    except OSError as error:
        raise AssetError(f"{shown(path)} cannot be stored in {where}: {error.strerror}; nothing was stored") from error


def open_regular(path: Path, flags: int = 0) -> FileIO | None:
    """To read; None: it is no regular file. Without O_NONBLOCK, a FIFO would make us wait for its writer."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return FileIO(fd)
    os.close(fd)
    return None


def copy(source: FileIO, target: FileIO) -> None:
    """In the kernel as far as that goes (with reflinks, blocks are then shared), the rest through memory."""
    with suppress(AttributeError, OSError):  # macOS; two file systems; a real error comes again below
        while os.copy_file_range(source.fileno(), target.fileno(), 1 << 30):
            pass
    while chunk := source.read(_CHUNK):
        write_all(target, chunk)


def write_all(target: FileIO, chunk: bytes) -> None:
    """However little each write takes."""
    view = memoryview(chunk)
    while view:
        view = view[target.write(view) :]


def digest_of(file: FileIO) -> str:
    """Of the whole file, which is then at its end."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def corrupt(uri: str, place: str, found: str) -> AssetCorrupt:
    """The error of content that is not what its name says."""
    return AssetCorrupt(f"{uri} has other content ({found}): {place}; put the right content again")


def shown(path: Path) -> str:
    """ASCII without control characters, and bounded."""
    return ascii(str(path)[:200])
