"""Verified copies of content that lies elsewhere, in a local folder of bounded size."""

import fcntl
import os
import shutil
import time
import uuid
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from farandole.assets.drafts import Drafts
from farandole.assets.files import READ_ONLY, Verified, Wanted
from farandole.events.errors import AssetCorrupt

Fetch = Callable[[FileIO], None]
"""Writes the content that is wanted, verified, or raises."""

_STALE_AFTER = 3600.0  # seconds that the links of a process that ended are left, for it may have printed their names
_SHARE = 20  # a process looks for what can go once it has added this part of the limit


class _Copy(NamedTuple):
    used: int
    size: int
    path: Path


class Copies:
    """Content under `root`, as `sha256/ab/cdef…`, which threads and processes of one user may share.

    What is handed out is a further name of the file, of this process alone (`held/…/digest`), so that it stays until
    it is released, whoever makes room meanwhile. When there are more than `limit` bytes, what was longest unused
    goes; what is held never does, so it may be more. Every process hashes what it first opens.
    """

    def __init__(self, root: Path, limit: int) -> None:
        self.folder, self._limit = Path(os.path.abspath(root)), limit
        self._mine = self.folder / "held" / uuid.uuid4().hex
        self._alive: int | None = None
        self._drafts = Drafts(self.folder / "tmp")
        self._verified = Verified(linked=True)
        self._counts: dict[str, int] = {}
        self._locks = [Lock() for _ in range(256)]
        self._opening = Lock()
        self._added: int | None = None

    @contextmanager
    def draft(self) -> Iterator[tuple[FileIO, str]]:
        """A file to be filled, and its name; gone afterwards unless it was kept. Raises OSError."""
        self._open()
        with self._drafts.new() as draft:
            yield draft

    def keep(self, draft: tuple[FileIO, str], digest: str) -> None:
        """A draft that has this digest becomes a copy."""
        self._stand(draft[0], draft[1], digest)
        self._make_room(os.fstat(draft[0].fileno()).st_size)

    def hold(self, wanted: Wanted, fetch: Fetch) -> Path:
        """A file with the content, fetched where no good copy is here; it stays until it is released.

        Raises what `fetch` raises, and OSError where the folder cannot be written.
        """
        self._open()
        mine = self._mine / wanted.digest
        with self._lock(wanted.digest):
            try:
                if not self._have(mine, wanted):
                    self._fill(mine, wanted, fetch)
                self._counts[wanted.digest] = self._counts.get(wanted.digest, 0) + 1
            finally:
                if wanted.digest not in self._counts:
                    mine.unlink(missing_ok=True)  # else a copy that nobody holds could never go
        return mine

    def release(self, path: Path) -> None:
        """One hold less; what nobody holds may go. Harmless for what was not handed out here."""
        if path.parent != self._mine or path.name not in self._counts:
            return
        with self._lock(path.name):
            self._counts[path.name] -= 1
            if not self._counts[path.name]:
                del self._counts[path.name]
                with suppress(FileNotFoundError):
                    path.unlink()

    def _lock(self, digest: str) -> Lock:
        return self._locks[int(digest[:2], 16)]

    def _place(self, digest: str) -> Path:
        return self.folder / "sha256" / digest[:2] / digest[2:]

    def _have(self, mine: Path, wanted: Wanted) -> bool:
        """Whether a good copy is here, and ours by now."""
        if wanted.digest in self._counts and self._good(mine, wanted):
            return True
        try:
            _link(self._place(wanted.digest), mine)
        except FileNotFoundError:
            return False
        return self._good(mine, wanted)

    def _good(self, mine: Path, wanted: Wanted) -> bool:
        try:
            self._verified.check(mine, wanted)
        except (FileNotFoundError, AssetCorrupt):
            return False
        _use(mine)
        return True

    def _fill(self, mine: Path, wanted: Wanted, fetch: Fetch) -> None:
        """One process at a time for each of 256 folders, so that what several want is fetched once."""
        folder = self._place(wanted.digest).parent
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            if self._have(mine, wanted):
                return
            with self._drafts.new() as (file, name):
                fetch(file)
                size = file.seek(0, os.SEEK_END)
                _link(Path(name), mine)  # first, so that nobody makes room with it
                self._stand(file, name, wanted.digest)
        self._make_room(size)

    def _stand(self, file: FileIO, name: str, digest: str) -> None:
        """Not synced: what a crash of the machine tears is found out when it is hashed, and fetched again."""
        os.fchmod(file.fileno(), READ_ONLY)
        place = self._place(digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        _use(Path(name))
        os.rename(name, place)
        self._verified.remember(digest, os.fstat(file.fileno()))

    def _open(self) -> None:
        """Once a process: make the folders, and remove what processes left that ended in whatever way."""
        with self._opening:
            if self._alive is not None:
                return
            self._drafts.folder.mkdir(parents=True, exist_ok=True)
            self._drafts.sweep()
            self._mine.mkdir(parents=True)
            self._alive = os.open(self._mine / "alive", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            weakref.finalize(self, os.close, self._alive)
            fcntl.flock(self._alive, fcntl.LOCK_EX)
            for folder in self._mine.parent.iterdir():
                _remove_dead(folder)

    def _make_room(self, size: int) -> None:
        """Remove what was longest unused, where there is more than the limit; one process at a time looks."""
        with self._opening:
            self._added, looked = (0 if self._added is None else self._added + size), self._added is None
            if not looked and self._added < self._limit // _SHARE:
                return
            self._added = 0
        with suppress(BlockingIOError), _alone(self.folder, fcntl.LOCK_NB):
            copies = sorted(self._found())
            over = sum(copy.size for copy in copies) - self._limit
            for copy in copies:
                if over <= 0:
                    break
                with suppress(FileNotFoundError):
                    if copy.path.stat().st_nlink == 1:  # nobody holds it; who comes to hold it now keeps his name
                        copy.path.unlink()
                        over -= copy.size

    def _found(self) -> Iterator[_Copy]:
        for path in (self.folder / "sha256").glob("??/*"):
            with suppress(FileNotFoundError):
                found = path.stat()
                yield _Copy(found.st_atime_ns, found.st_size, path)


def _link(source: Path, mine: Path) -> None:
    """In one step, for somebody may be about to open what is there. Raises FileNotFoundError."""
    fresh = mine.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    os.link(source, fresh, follow_symlinks=False)
    os.rename(fresh, mine)
    fresh.unlink(missing_ok=True)  # between two names of one file a rename does nothing


def _use(path: Path) -> None:
    """Its time of access tells when it was last wanted; that of its change stays."""
    os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


@contextmanager
def _alone(folder: Path, waiting: int = 0) -> Iterator[None]:
    """With LOCK_NB raises BlockingIOError where somebody else is."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | waiting)
        yield
    finally:
        os.close(fd)


def _remove_dead(folder: Path) -> None:
    """Its process holds a lock for as long as it lives."""
    with suppress(FileNotFoundError, BlockingIOError):
        if time.time() - folder.stat().st_mtime < _STALE_AFTER:
            return
        with open(folder / "alive", "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
