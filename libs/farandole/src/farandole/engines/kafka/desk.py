"""Where a member's transactions are made; a call of the client that never comes back is left behind with its thread.

librdkafka 2.16 keeps to no time limit while it waits for a group's coordinator, and waits for ever for one that was
taken out of the cluster's metadata meanwhile (librdkafka#5456, #5511).
"""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from confluent_kafka import KafkaError

from farandole.engines.kafka.committer import Committer
from farandole.engines.kafka.transactor import Unknown
from farandole.engines.kafka.worker import Worker

P = ParamSpec("P")
T = TypeVar("T")
_LOOK = 1.0  # seconds between two looks at a call that is under way


class Desk:
    """One thread for one committer; another one when it is left behind."""

    def __init__(self, committer: Committer, name: str) -> None:
        self._committer, self._name = committer, name
        self._worker = Worker(name)

    async def do(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make the call, of the committer's. Raises what it raises, and Unknown where it does not come back.

        What was left behind commits nothing once the transactor has begun again: it is of a former epoch then.
        """
        worker = self._worker
        asked = asyncio.ensure_future(worker.do(call, *args, **kwargs))
        asked.add_done_callback(lambda done: done.cancelled() or done.exception())  # heard of, whoever waits
        looks = 0  # at which it was overdue; a process that was stopped for a while is given the time to go on
        while not asked.done():
            await asyncio.wait([asked], timeout=_LOOK)
            looks = looks + 1 if self._committer.transactor.overdue else 0
            if worker is self._worker and not asked.done() and looks > 1:
                self._leave_behind()
            if worker is not self._worker and not asked.done():
                raise Unknown(KafkaError(KafkaError._TIMED_OUT, "a call of the client does not come back"))
        return asked.result()

    def end(self) -> None:
        """No further call."""
        self._worker.end()

    def _leave_behind(self) -> None:
        self._worker.leave()
        self._worker = Worker(self._name)
        self._committer.begin_anew()
