"""The writer: one thread with the one connection that writes, and what has queued for it in one transaction."""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import NamedTuple, Protocol

import apsw

from farandole.engines.sqlite.checkpoint import Checkpointer
from farandole.engines.sqlite.compose import Composer
from farandole.engines.sqlite.database import is_final, unavailable
from farandole.engines.sqlite.faults import Passed, passed_nothing
from farandole.engines.sqlite.lock import FileLock
from farandole.engines.sqlite.pulse import Pulse
from farandole.engines.sqlite.registry import Listeners, read_listeners
from farandole.engines.sqlite.requests import CommitRequest, OpRequest, Request
from farandole.engines.sqlite.transaction import Answer, Transaction
from farandole.engines.sqlite.wake import LEASES, Post, data_note
from farandole.events.errors import LogUnavailable

_AT_ONCE = 1_000  # requests of one transaction
_STOP = None


class Written(NamedTuple):
    """What one transaction did, and whom in this process that concerns."""

    answers: list[tuple[Request, Answer]]
    topics: set[str]  # were written
    leases: bool = False  # of this handle came or went
    expelled: bool = False  # this handle had been taken for dead


class Owner(Protocol):
    """Who is told, from the writer's thread."""

    def written(self, done: Written) -> None:
        """A transaction is durable, or was refused as a whole."""
        ...

    def died(self, error: LogUnavailable, pending: list[Request]) -> None:
        """Nothing more will be written; nor were the pending ones, unless a later read shows it."""
        ...


class Parts(NamedTuple):
    """What the writer works with."""

    connect: Callable[[], apsw.Connection]
    lock: FileLock
    composer: Composer
    pulse: Pulse
    post: Post
    checkpointer: Checkpointer
    passed: Passed


class Writer:
    """Takes requests from the event loop; commits those of one moment together, in the order given."""

    def __init__(self, parts: Parts, owner: Owner) -> None:
        self._parts = parts
        self._owner = owner
        self._queue: SimpleQueue[Request | None] = SimpleQueue()
        self._listeners = Listeners(-1, {}, {})
        self._current: list[Request] = []
        self._doom: Exception | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="farandole-writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._parts.checkpointer.start(self.fail)
        self._thread.start()

    def submit(self, request: Request) -> None:
        """Queue a request; its answer comes through the owner."""
        self._queue.put(request)

    def fail(self, error: Exception) -> None:
        """Have the writer die of an error that happened elsewhere; may be called in any thread."""
        self._doom = error
        self._queue.put(_STOP)

    def stop(self) -> None:
        """End when all that was submitted is done; waits for it. Idempotent."""
        self._queue.put(_STOP)
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        db: apsw.Connection | None = None
        try:
            db = self._parts.connect()
            self._parts.checkpointer.follow(db)
            while not self._stopping:
                self._turn(db)
            self._parts.checkpointer.stop()
            db.close()
            self._parts.lock.close()
        except (apsw.Error, OSError) as error:
            self._die(db, _told(error))
        except BaseException as error:
            self._die(db, LogUnavailable(f"the log's writer failed: {type(error).__name__}: {error}"))
            raise

    def _turn(self, db: apsw.Connection) -> None:
        self._current = self._collect()
        if self._doom is not None:
            raise self._doom
        if self._current or self._parts.pulse.is_due():
            self._write(db, self._current)
            self._current = []

    def _collect(self) -> list[Request]:
        requests: list[Request] = []
        try:
            request = self._queue.get(timeout=self._parts.pulse.wait())
            while request is not _STOP:
                requests.append(request)
                if len(requests) == _AT_ONCE:
                    return requests
                request = self._queue.get_nowait()
            self._stopping = True
        except Empty:
            pass
        return requests

    def _write(self, db: apsw.Connection, requests: list[Request]) -> None:
        try:
            done, targets = self._transact(db, requests)
        except apsw.Error as error:
            if is_final(error):
                raise
            refused = unavailable(error)
            self._parts.pulse.failed()
            self._listeners = Listeners(-1, {}, {})  # perhaps read from what is not there now
            self._tell(Written([(request, refused) for request in requests], set()))
            return
        for note, addresses in targets:
            self._parts.post.send(note, addresses)
        self._tell(done)

    def _tell(self, done: Written) -> None:
        for request, answer in done.answers:
            if isinstance(request, CommitRequest) and isinstance(answer, LogUnavailable):
                request.turn.failed += 1
        self._owner.written(done)

    def _transact(
        self, db: apsw.Connection, requests: list[Request]
    ) -> tuple[Written, list[tuple[bytes, list[bytes]]]]:
        parts = self._parts
        passed = passed_nothing if all(isinstance(r, OpRequest) for r in requests) else parts.passed
        waited = parts.lock.acquire()
        try:
            passed("before-begin")
            waited += _begin(db)
            passed("after-begin")
            txn = Transaction(db, parts.composer, passed)
            answers = txn.run(requests)
            expelled = parts.pulse.is_due() and parts.pulse.beat(txn, waited)
            targets = self._targets(db, txn)
            passed("before-commit")
            db.execute("COMMIT")
            parts.pulse.committed()
            passed("after-commit")
        except apsw.Error:
            if db.in_transaction:
                with suppress(apsw.Error):
                    db.execute("ROLLBACK")
            raise
        finally:
            parts.lock.release()
        leases = txn.effects.everyone or parts.pulse.handle in txn.effects.handles
        return Written(list(zip(requests, answers, strict=True)), txn.effects.topics, leases, expelled), targets

    def _targets(self, db: apsw.Connection, txn: Transaction) -> list[tuple[bytes, list[bytes]]]:
        """Whom to wake in other processes once this is durable."""
        effects = txn.effects
        if effects.registry or txn.store.registry != self._listeners.version:
            self._listeners = read_listeners(db)
        listeners, own = self._listeners, self._parts.pulse.handle
        handles = set(listeners.addresses) if effects.everyone else effects.handles
        readers = {handle for topic in effects.topics for handle in listeners.by_topic.get(topic, ())}
        targets = [(LEASES, _addresses(listeners, handles - {own}))] if handles else []
        if readers - {own}:
            targets.append((data_note(effects.topics), _addresses(listeners, readers - {own})))
        return targets

    def _die(self, db: apsw.Connection | None, error: LogUnavailable) -> None:
        if db is not None:
            with suppress(apsw.Error):  # after a failed fsync nothing is written again, not even by closing
                db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                db.close()
        self._parts.lock.close()
        self._owner.died(error, self._current)
        self._parts.checkpointer.stop()

    def drain(self) -> list[Request]:
        """What nobody will do any more; for the event loop, once the writer is dead."""
        left: list[Request] = []
        with suppress(Empty):
            while True:
                request = self._queue.get_nowait()
                if request is not _STOP:
                    left.append(request)
        return left


def _begin(db: apsw.Connection) -> float:
    began = time.monotonic()
    db.execute("BEGIN IMMEDIATE")
    return time.monotonic() - began


def _addresses(listeners: Listeners, handles: Iterable[int | None]) -> list[bytes]:
    return [address for handle in handles if handle and (address := listeners.addresses.get(handle))]


def _told(error: Exception) -> LogUnavailable:
    if isinstance(error, apsw.Error):
        return unavailable(error)
    return LogUnavailable(f"the log's files cannot be used any more: {error}")
