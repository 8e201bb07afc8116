"""Moving what is in the WAL into the file, outside of every commit, so that no commit pays for it."""

import threading
from collections.abc import Callable
from contextlib import closing

import apsw

from farandole.engines.sqlite.database import is_final
from farandole.engines.sqlite.lock import FileLock

EVERY = 8 * 1024 * 1024
"""Bytes by which the WAL grows, whoever writes, between two checkpoints."""
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
        self._page = 0
        self._seen = 0  # pages in the WAL when a checkpoint was last asked for
        self._wanted = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="farandole-checkpoint", daemon=True)

    def start(self, failed: Callable[[Exception], None]) -> None:
        """Begin to wait for work; `failed` is called with an error after which nothing may be tried again."""
        self._failed = failed
        self._thread.start()

    def follow(self, db: apsw.Connection) -> None:
        """Look at the WAL's size after each commit of the writer's connection.

        Its whole size: where many handles write little each, none of them alone writes enough to notice.
        """
        self._page = int(db.pragma("page_size"))
        db.set_wal_hook(self._grown)

    def _grown(self, _: apsw.Connection, __: str, pages: int) -> int:
        if pages < self._seen:  # it began anew
            self._seen = 0
        if (pages - self._seen) * self._page >= EVERY:
            self._seen = pages
            self._wanted.set()
        return apsw.SQLITE_OK

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
