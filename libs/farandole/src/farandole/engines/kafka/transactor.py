"""One transactional producer, used by one thread at a time: a transaction is committed, aborted or unknown, never half.

Rules: every delivery is awaited before the commit, which the client refuses where one has failed; a commit that saw
trouble is never sent again by the same producer epoch (a delayed one could end the next transaction, librdkafka#5423);
who is fenced takes a new id. Once the commit was called for, no error proves that nothing was written: the client may
say that a transaction has to be aborted which the brokers have committed.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from farandole.engines.kafka.clients import TRANSACTION, Clients
from farandole.engines.kafka.failures import error_of, unavailable
from farandole.engines.kafka.stranded import answered
from farandole.log.record import NewRecord

PATIENCE = 30.0
"""Seconds for the brokers to end a transaction, one of them being away included."""
BEGINNING = 55.0
"""Seconds for them to let a producer begin, all of them being away included."""
POINTS = ("before-begin", "after-begin", "after-records", "before-commit", "after-commit")
"""Where a process can be made to die, in order."""
_STEP = 5.0  # seconds that one call waits; called again until patience ends
_ANSWER = 1.0  # seconds for any broker to answer; another producer begins where none does
_LATE = 3.0  # seconds beyond its limit after which a call is overdue
_FENCED = {KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED}


class Aborted(Exception):
    """Nothing of the transaction was written. `error`: why."""

    def __init__(self, error: KafkaError) -> None:
        super().__init__(error.str())
        self.error = error


class Unknown(Exception):
    """Whether the transaction was committed has to be looked up. `error`: why."""

    def __init__(self, error: KafkaError) -> None:
        super().__init__(error.str())
        self.error = error


class Offsets(NamedTuple):
    """Positions that commit with a transaction, and who the brokers may believe them of."""

    positions: Sequence[TopicPartition]
    membership: object  # the client's own word for group, member and generation


class Transactor:
    """Makes transactions, one after the other. `seconds`: after which the brokers end one whose maker is gone.

    `drawn`: what its transactional ids begin with, and nobody else's.
    """

    def __init__(
        self, clients: Clients, drawn: str, passed: Callable[[str], None], seconds: float = TRANSACTION
    ) -> None:
        self._clients, self._drawn, self.passed, self._seconds = clients, drawn, passed, seconds
        self._life = 0
        self._producer: Producer | None = None
        self._due = math.inf

    @property
    def overdue(self) -> bool:
        """Whether a call that was made keeps to no limit; from any thread."""
        return time.monotonic() > self._due

    def successor(self) -> "Transactor":
        """Another one under the same id, for when this one's thread is left behind; beginning, it ends what is open."""
        heir = Transactor(self._clients, self._drawn, self.passed, self._seconds)
        heir._life = self._life
        return heir

    @property
    def id(self) -> str:
        """The transactional id in use."""
        return f"{self._drawn}-{self._life}"

    def run(
        self, records: Sequence[tuple[str, NewRecord]], offsets: Offsets | None = None, *, places: bool = False
    ) -> list[int]:
        """Write records (with Kafka's name of their topic) and positions together; the records' `places` if wanted.

        Raises Aborted, Unknown, or LogUnavailable where no producer could be had.
        """
        producer = self.begin()
        written = [-1] * len(records) if places else []
        failed: list[KafkaError] = []
        self.passed("before-begin")
        try:
            producer.begin_transaction()
            self.passed("after-begin")
            # A report of each delivery would take the interpreter from the thread on which steps run: a seventh of a
            # hop's time. So none is asked for where nobody wants the places.
            for number, (topic, record) in enumerate(records):
                _produce(producer, topic, record, partial(_place, written, failed, number) if places else None)
            if offsets is not None:
                with self._within(_STEP):
                    producer.send_offsets_to_transaction(list(offsets.positions), offsets.membership, _STEP)
            with self._within(self._seconds):
                left = producer.flush(self._seconds)
            self.passed("after-records")
        except KafkaException as raised:
            raise self._abort(error_of(raised)) from raised
        if failed or left:
            raise self._abort(failed[0] if failed else KafkaError(KafkaError._TIMED_OUT, "records not delivered"))
        self.passed("before-commit")
        self._commit(producer)
        self.passed("after-commit")
        return written

    def fence(self, id: str) -> None:
        """End what the holder of another id left open; it writes nothing under it any more. Raises LogUnavailable."""
        self._initialised(id)

    def renew(self) -> None:
        """Begin again under the same id: what it left open is ended."""
        self._producer = None
        self.begin()

    def begin(self) -> Producer:
        """Be ready, with nothing left open. Raises LogUnavailable."""
        if self._producer is None:
            self._producer = self._initialised(self.id, self._seconds)
        return self._producer

    def _commit(self, producer: Producer) -> None:
        deadline = time.monotonic() + PATIENCE
        troubled = False
        while True:
            try:
                with self._within(_STEP):
                    producer.commit_transaction(_STEP)
            except KafkaException as raised:
                error = error_of(raised)
                if not error.retriable() or time.monotonic() > deadline:
                    self._drop(error)
                    raise Unknown(error) from raised
                troubled = True
            else:
                break
        if troubled:
            self._producer = None  # a new epoch, so that nothing delayed can end the next transaction

    def _abort(self, error: KafkaError) -> Aborted:
        assert self._producer is not None
        try:
            if not error.fatal():
                self._end_open()
        except KafkaException:
            self._drop(error)  # the successor's beginning ends it
        else:
            if error.fatal():
                self._drop(error)
        return Aborted(error)

    def _end_open(self) -> None:
        producer = self._producer
        assert producer is not None
        with self._within(_ANSWER):
            if not answered(producer, _ANSWER):
                raise KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN))
        with self._within(PATIENCE):
            producer.abort_transaction(PATIENCE)

    def _initialised(self, id: str, seconds: float = TRANSACTION) -> Producer:
        producer, deadline = self._clients.producer(id, seconds), time.monotonic() + BEGINNING
        while True:
            try:
                with self._within(_STEP):
                    producer.init_transactions(_STEP)
            except KafkaException as raised:
                error = error_of(raised)
                if not error.retriable() or time.monotonic() > deadline:
                    raise unavailable("no transaction can be begun", error) from raised
            else:
                return producer
            with self._within(_ANSWER):
                if not answered(producer, _ANSWER):
                    producer = self._clients.producer(id, seconds)

    @contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        self._due = time.monotonic() + seconds + _LATE
        try:
            yield
        finally:
            self._due = math.inf

    def _drop(self, error: KafkaError) -> None:
        self._producer = None
        if error.code() in _FENCED:
            self._life += 1


def _produce(
    producer: Producer, topic: str, record: NewRecord, noted: Callable[[KafkaError | None, Message], None] | None
) -> None:
    assert record.partition is not None
    while True:
        try:
            producer.produce(
                topic,
                value=record.value,
                key=record.key,
                partition=record.partition,
                on_delivery=noted,
                headers=list(record.headers),
            )
        except BufferError:  # the client's queue is full
            producer.poll(0.1)
        else:
            return


def _place(written: list[int], failed: list[KafkaError], number: int, error: KafkaError | None, sent: Message) -> None:
    if error is not None:
        failed.append(error)
    else:
        written[number] = sent.offset() or 0
