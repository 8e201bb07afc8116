"""What may be fetched: assets, and regular files under configured folders; all else is refused by name."""

import errno
import os
import re
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote_to_bytes

from farandole.assets.files import Identity
from farandole.events.asset import Asset, is_asset_uri
from farandole.events.errors import AssetCorrupt, AssetError, AssetMissing, AssetRefused, ConfigError
from farandole.log.ports import AssetStore

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_FILE = re.compile(r"file:(?://(?:localhost)?)?(/[^/].*)", re.IGNORECASE | re.DOTALL)
_AMBIGUOUS = re.compile(r"[?#]|%(?![0-9A-Fa-f]{2})")
_LONGEST = 4096  # characters of a URI; no path is longer
_INGESTED_KEPT = 1024
_REFUSED = {
    errno.ENOTDIR: "leads through a link or a file; name the file itself",
    errno.ELOOP: "is a link; name the file itself",
    errno.EINVAL: "is a folder, device, socket or pipe; name a regular file",
    errno.EACCES: "may not be read by this service; have its permissions changed",
    errno.ENAMETOOLONG: "has a name longer than names can be",
}
_SETTLED = 2.0  # seconds; a younger file may be changed again within one tick of its time stamps
_STEP = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)


class Resolver:
    """Fetches by URI, for a service that was told by others what to read.

    A `file:` URI must name a regular file under one of `roots`, without links or `..` on the way. Raises
    ConfigError for a root that is no absolute path, or `/`.
    """

    def __init__(self, store: AssetStore, roots: Sequence[Path] = ()) -> None:
        self._store, self._roots = store, [_root(root) for root in roots]
        self._ingested: OrderedDict[Identity, Asset] = OrderedDict()
        self._lock = threading.Lock()

    def fetch(self, uri_or_asset: str | Asset) -> Path:
        """A local file with the content, verified and safe to hand to any program; not to be written.

        Raises AssetRefused for what may not be read, AssetMissing for what is not there (yet), AssetCorrupt,
        AssetError where reading or storing fails.
        """
        if isinstance(uri_or_asset, Asset) or is_asset_uri(uri_or_asset):
            return self._store.path(uri_or_asset)
        uri = uri_or_asset
        if len(uri) > _LONGEST:
            raise _refused(uri, f"is longer than {_LONGEST} characters")
        scheme = _SCHEME.match(uri)
        if scheme is None:
            raise _refused(uri, "has no scheme; write file:///… or asset:sha256/…")
        if scheme[1].lower() == "file":
            return self._ingest(uri)
        if scheme[1].lower() == "asset":
            raise _refused(uri, "names no content; write asset:sha256/ and 64 hex digits in lower case")
        remedy = "only asset: and file: are fetched; get it in a step of its own, and ctx.save it"
        raise _refused(uri, f"has the scheme {scheme[1]}: {remedy}")

    def _ingest(self, uri: str) -> Path:
        """The file's content, copied into the store once per process and state of the file.

        The copy is the price of handing out a path: between a check and a program's own opening, a name can be
        pointed elsewhere, and an open descriptor has no name that another process could open. It also gives
        every attempt the same bytes.
        """
        with self._opened(uri) as fd:
            identity = Identity.of(os.fstat(fd))
            with self._lock:
                known = self._ingested.get(identity)
            if known is not None:
                with suppress(AssetMissing, AssetCorrupt):  # damaged since; it is put again
                    return self._store.path(known)
            # The descriptor, opened again: the very file that was checked, whatever its name is now.
            asset = self._store.put(Path(f"/dev/fd/{fd}"), "application/octet-stream")
            if Identity.of(os.fstat(fd)) != identity:
                raise AssetError(f"{_shown(uri)} changed while it was read; it is read again")
            self._remember(identity, asset)
        return self._store.path(asset)

    def _remember(self, identity: Identity, asset: Asset) -> None:
        if time.time() - max(identity.changed, identity.modified) / 1e9 < _SETTLED:
            return
        with self._lock:
            self._ingested[identity] = asset
            while len(self._ingested) > _INGESTED_KEPT:
                self._ingested.popitem(last=False)

    @contextmanager
    def _opened(self, uri: str) -> Iterator[int]:
        path = _path_of(uri)
        root, inside = self._split(uri, path)
        try:
            fd = _open_beneath(root, inside)
        except FileNotFoundError:
            raise AssetMissing(f"{_shown(uri)} is not there; it is looked for again") from None
        except OSError as error:
            if error.errno in _REFUSED:
                raise _refused(uri, _REFUSED[error.errno]) from None
            raise AssetError(f"{_shown(uri)} cannot be read: {error.strerror}") from error
        try:
            yield fd
        finally:
            os.close(fd)

    def _split(self, uri: str, path: Path) -> tuple[Path, Path]:
        for root in self._roots:
            # The root may itself lead through links: it is the operator's.
            for known in (root, Path(os.path.realpath(root))):
                if path != known and path.is_relative_to(known):
                    return known, path.relative_to(known)
        raise _refused(uri, "is in none of the folders that this service may read; add its folder to them")


def _root(root: Path) -> Path:
    if not root.is_absolute() or ".." in root.parts:
        raise ConfigError(f"folder {str(root)!a} to fetch from: give an absolute path without '..'")
    if root == Path("/"):
        raise ConfigError("folder '/' to fetch from would open the whole machine; name the folders with data")
    return root


def _path_of(uri: str) -> Path:
    """The path in a `file:` URI, decoded once. Raises AssetRefused for what could be read in two ways."""
    match = _FILE.fullmatch(uri)
    if match is None:
        raise _refused(uri, "names a host or no absolute path; write file:///…")
    if _AMBIGUOUS.search(uri):
        raise _refused(uri, "has a query, a fragment or a stray %; write %3F, %23 and %25")
    segments = [_decoded(uri, segment) for segment in match[1][1:].split("/")]
    return Path("/", *segments)


def _decoded(uri: str, segment: str) -> str:
    try:
        name = unquote_to_bytes(segment)
    except UnicodeEncodeError:
        raise _refused(uri, "is no text that can be encoded") from None
    if name in (b"", b".", b".."):
        raise _refused(uri, "has an empty segment, '.' or '..'; write the path without them")
    if b"/" in name or b"\0" in name:
        raise _refused(uri, "hides a slash or a NUL in a segment")
    return os.fsdecode(name)


def _open_beneath(root: Path, inside: Path) -> int:
    """A descriptor of a regular file, opened segment by segment: a link that is put in the way cannot win."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in inside.parts[:-1]:
            deeper = os.open(name, _STEP, dir_fd=folder)
            os.close(folder)
            folder = deeper
        return _open_regular(inside.name, folder)
    finally:
        os.close(folder)


def _open_regular(name: str, folder: int) -> int:
    # Looked at first: opening a device can do something, opening a FIFO can wait.
    _check_regular(os.stat(name, dir_fd=folder, follow_symlinks=False))
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        _check_regular(os.fstat(fd))
    except OSError:
        os.close(fd)
        raise
    return fd


def _check_regular(found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")


def _refused(uri: str, why: str) -> AssetRefused:
    return AssetRefused(f"{_shown(uri)} {why}")


def _shown(uri: str) -> str:
    """ASCII without control characters, and bounded: the text came from elsewhere."""
    return ascii(uri) if len(uri) <= 200 else f"{uri[:200]!a}…"
