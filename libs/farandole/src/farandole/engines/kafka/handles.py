"""Clients of confluent-kafka that are ended on a thread of ours, whoever lets go of them last.

A client ends when its object is freed, and librdkafka aborts the process where one of the client's own threads does
that. The callback for tokens runs on such a thread; there the garbage collector may begin, and find the very client: in
a cycle of a handle that was closed, it goes on asking for tokens (seen with confluent-kafka 2.16).
"""

import threading
from queue import SimpleQueue
from typing import Any

from confluent_kafka import Consumer as _Consumer
from confluent_kafka import Producer as _Producer
from confluent_kafka.admin import AdminClient as _AdminClient

_left = SimpleQueue[Any]()


class Producer(_Producer):
    """See the module."""

    def __del__(self) -> None:
        _left.put(self)  # it lives until `_end` takes it; that it is freed then is not told here again (PEP 442)


class Consumer(_Consumer):
    """See the module."""

    def __del__(self) -> None:
        _left.put(self)


class AdminClient(_AdminClient):
    """See the module."""

    def __del__(self) -> None:
        _left.put(self)


class Ends:
    """The thread on which clients end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def watch(self) -> None:
        """Have what is let go ended; to be called before a client is made. Idempotent, also after a fork."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="farandole-kafka-ends", daemon=True)
                self._thread.start()

    @staticmethod
    def _run() -> None:
        while True:
            _left.get()  # freed here, for nobody else knows it any more


ends = Ends()
