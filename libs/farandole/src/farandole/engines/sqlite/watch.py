"""Finds out who keeps the writers waiting, and ends him if he stands still: he would stop everybody."""

import os
import time
from typing import Protocol

from farandole.engines.sqlite.lock import FileLock
from farandole.engines.sqlite.process import Process, kill_if_stopped

PATIENCE = 2.0
"""Seconds of waiting after which the holder is looked at."""


class Noted(Protocol):
    """Told what an operator should know; as `Hooks.noted`."""

    def __call__(self, event: str, **fields: object) -> None:
        """Note one event; called from the event loop or a thread of the engine."""
        ...


def unnoted(event: str, **fields: object) -> None:
    """Nobody wants to know."""


class Watch:
    """Looks at the holder of one lock whenever its waiter has waited for long."""

    def __init__(self, lock: FileLock, noted: Noted, *, patience: float = PATIENCE) -> None:
        self._lock = lock
        self._noted = noted
        self._patience = patience
        self._reported: float | None = None

    def check(self) -> bool:
        """To be called every second or so, by another thread than the one that waits; whether that one waits."""
        since = self._lock.waiting_since
        if since is not None and time.monotonic() - since >= self._patience:
            self._look_at_holder(since)
        return since is not None

    def _look_at_holder(self, since: float) -> None:
        holder = self._lock.holder()
        waited = round(time.monotonic() - since, 1)
        if holder is not None and self._end_if_stopped(holder):
            self._reported = since  # it may take a moment to be gone
            self._noted("holder of the log's lock stood still and was killed", pid=holder.pid, waited=waited)
        elif self._reported != since:
            self._reported = since
            pid = None if holder is None else holder.pid  # perhaps in another container
            self._noted("waiting for the log's lock", pid=pid, waited=waited)

    def _end_if_stopped(self, holder: Process) -> bool:
        if holder.space != self._lock.process.space or holder.pid == os.getpid():
            return False
        try:
            return kill_if_stopped(holder)
        except PermissionError as error:
            self._noted("holder of the log's lock may not be killed", pid=holder.pid, why=str(error))
            return False
