"""Moving what is in the WAL into the file, outside of every commit, so that no commit pays for it."""

import threading
from collections.abc import Callable
from contextlib import closing

import apsw

from farandole.engines.sqlite.database import is_final
from farandole.engines.sqlite.lock import FileLock

EVERY = 8 * 1024 * 1024
"""Bytes that this handle writes between two checkpoints."""
LARGE = 32 * 1024 * 1024
"""Bytes of WAL at which writers are held for the rest of a checkpoint, so that it starts anew."""


class Checkpointer:
    """A thread with a connection and a lock of its own."""

    def __init__(
        self,
        connect: Callable[[], apsw.Connection],
        lock: Callable[[], FileLock],
    ) -> None:
        self._connect, self._lock = connect, lock
        self._failed: Callable[[Exception], None] | None = None
        self._written = 0
        self._wanted = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="farandole-checkpoint", daemon=True)

    def start(self, failed: Callable[[Exception], None]) -> None:
        """Begin to wait for work; `failed` is called with an error after which nothing may be tried again."""
        self._failed = failed
        self._thread.start()

    def written(self, size: int) -> None:
        """`size` bytes went into the WAL; called by the writer's thread."""
        self._written += size
        if self._written >= EVERY:
            self._written = 0
            self._wanted.set()

    def stop(self) -> None:
        """End after the checkpoint under way; waits for it. Idempotent."""
        self._stopping = True
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            with closing(self._lock()) as lock, closing(self._connect()) as db:
                db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # closing is the writer's to do well
                self._work(db, lock)
        except (apsw.Error, OSError) as error:
            if self._failed is not None:
                self._failed(error)

    def _work(self, db: apsw.Connection, lock: FileLock) -> None:
        page = int(db.pragma("page_size"))
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._stopping:
                return
            if _checkpoint(db) * page > LARGE:
                # It began anew if once everything was moved; but something was written meanwhile, again and again.
                lock.acquire()
                try:
                    _checkpoint(db)
                finally:
                    lock.release()


def _checkpoint(db: apsw.Connection) -> int:
    """How many pages the WAL had; 0 where another process is at it or the disk is full."""
    try:
        return db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)[0]
    except apsw.Error as error:
        if is_final(error):
            raise
        return 0
