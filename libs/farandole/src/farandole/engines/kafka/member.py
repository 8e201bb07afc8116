"""The thread that keeps a member in its group: it fetches and hears of rebalances, and runs no step.

Every call of the consumer is made on this thread: from another one, beside a poll, confluent-kafka 2.16 stands still.
While it holds nothing it looks now and then whether any broker answers, and joins as another consumer where none does:
its client may have lost all brokers for good. Who holds something hears by the end of its session that it lost that.
A partition that is revoked is given up only after its holder let go of it, or after its time is over; until then the
callback waits, while the client's own threads keep the session alive.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from farandole.engines.kafka.clients import SILENCE
from farandole.engines.kafka.failures import PASSING, error_of, unavailable
from farandole.engines.kafka.stranded import answered

_BATCH = 1000
_LOOK = 1.0  # seconds between two looks for a broker, and for it to answer
_TICK = 0.02  # seconds after which the thread looks for what others ask of it
_REST = 2.0  # seconds without a record or a request, after which it looks less often
_IDLE_TICK = 0.1


class Heard(Protocol):
    """Told by the member's thread, on that thread."""

    def assigned(self, partitions: list[int]) -> None:
        """The group gave these."""
        ...

    def revoked(self, partitions: list[int]) -> threading.Event:
        """The group wants these back; the event is set when they were let go."""
        ...

    def lost(self, partitions: list[int]) -> None:
        """These are gone: the group went on without this member."""
        ...

    def let_go(self, partitions: list[int]) -> None:
        """These are given up now, whether they were let go or not; returns when no commit of them is under way."""
        ...

    def came(self, messages: list[Message]) -> None:
        """Records."""
        ...

    def ended(self, topic: str, partition: int, offset: int) -> None:
        """All below `offset` has come; nothing more is there for now."""
        ...

    def strayed(self, topic: str, partition: int) -> None:
        """The client has lost its place, or the place is gone."""
        ...

    def failed(self, error: KafkaError) -> None:
        """It can't go on."""
        ...


class Member:
    """A consumer and its thread. `budget`: seconds that a revoked partition may take to be let go."""

    def __init__(self, make: Callable[[], Consumer], topics: list[str], heard: Heard, budget: float) -> None:
        self.membership: object = None
        """The client's word for group, member and generation, as of the last rebalance or `refresh`."""
        self._make, self._consumer, self._budget = make, make(), budget
        self._leased, self._topics, self._heard = topics[0], topics, heard
        self._given: set[int] = set()
        self._fetched: set[int] = set()
        self._asked: deque[tuple[Callable[[], None], Future[None]]] = deque()
        self._answered = self._looked = self._stirred = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"farandole-member-{topics[0]}", daemon=True)

    def start(self) -> None:
        """Join the group."""
        self._thread.start()

    def stop(self) -> None:
        """Leave the group, and wait until that is done; blocking."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def fetch(self, partition: int, offsets: dict[str, int], wanted: Callable[[], bool]) -> Future[None]:
        """Fetch a partition number from these offsets on, by Kafka's names of the topics, if it is `wanted` still."""
        there = [TopicPartition(topic, partition, offset) for topic, offset in offsets.items()]

        def begin() -> None:
            if partition in self._given and wanted():  # it may have been given up, and even come back, meanwhile
                if partition in self._fetched:
                    self._unassign([partition])
                self._consumer.incremental_assign(there)
                self._fetched.add(partition)

        return self._ask(begin)

    def leave_off(self, partition: int) -> Future[None]:
        """Fetch it no more."""
        return self._ask(lambda: self._unassign([partition]))

    def hold_back(self, topic: str, partition: int) -> None:
        """Fetch no more of it for now."""
        self._ask(lambda: self._consumer.pause([TopicPartition(topic, partition)]))

    def go_on(self, topic: str, partition: int) -> None:
        """Fetch it again."""
        self._ask(lambda: self._consumer.resume([TopicPartition(topic, partition)]))

    def refresh(self) -> None:
        """Have `membership` looked up again, soon."""
        self._ask(self._learn)

    def _ask(self, call: Callable[[], None]) -> Future[None]:
        answer: Future[None] = Future()
        self._asked.append((call, answer))
        return answer

    def _learn(self) -> None:
        self.membership = self._consumer.consumer_group_metadata()

    def _unassign(self, partitions: list[int]) -> None:
        there = [TopicPartition(topic, p) for p in partitions if p in self._fetched for topic in self._topics]
        self._fetched.difference_update(partitions)
        self._consumer.incremental_unassign(
            there
        )  # in a rebalance also of nothing: left out, the client takes all away

    def _run(self) -> None:
        try:
            self._join()
            while not self._stopping.is_set():
                self._answer()
                self._serve()
                if self._is_stranded():
                    self._consumer = self._make()
                    self._join()
        except Exception as raised:  # noqa: BLE001 - ended unheard, this thread would hold its partitions for ever
            self._stopping.set()
            self._heard.failed(error_of(raised))
        finally:
            self._consumer.close()

    def _join(self) -> None:
        self._answered = time.monotonic()
        self._consumer.subscribe(
            [self._leased],
            on_assign=self._kept(self._on_assign),
            on_revoke=self._kept(self._on_revoke),
            on_lost=self._kept(self._on_lost),
        )

    def _is_stranded(self) -> bool:
        now = time.monotonic()
        if self._given:
            self._answered = now
        elif now > self._looked + _LOOK:
            if answered(self._consumer, _LOOK):
                self._answered = time.monotonic()
            self._looked = time.monotonic()
        return time.monotonic() > self._answered + SILENCE

    def _answer(self) -> None:
        while self._asked:
            self._stirred = time.monotonic()
            call, answer = self._asked.popleft()
            try:
                call()
            except KafkaException as raised:
                answer.set_exception(unavailable(f"{self._leased!r} can't be fetched", error_of(raised)))
            else:
                answer.set_result(None)

    def _serve(self) -> None:
        first = self._consumer.poll(_TICK if time.monotonic() < self._stirred + _REST else _IDLE_TICK)
        if first is None:
            return
        self._stirred = time.monotonic()
        good: list[Message] = []
        for message in (first, *self._consumer.consume(_BATCH - 1, 0)):
            error = message.error()
            if error is None:
                good.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._pass_on(good)
                self._heard.ended(message.topic() or "", message.partition() or 0, message.offset() or 0)
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                self._pass_on(good)
                self._heard.strayed(message.topic() or "", message.partition() or 0)
            elif not error.retriable() and error.code() not in PASSING:
                self._heard.failed(error)
        self._pass_on(good)

    def _pass_on(self, good: list[Message]) -> None:
        if good:
            self._heard.came(good.copy())
            good.clear()

    def _kept(self, heed: Callable[[list[int]], None]) -> Callable[[Consumer, list[TopicPartition]], None]:
        """What it raises stays here: confluent-kafka 2.16 hands it on broken, from whichever call comes next."""

        def told(consumer: Consumer, there: list[TopicPartition]) -> None:
            try:
                heed([tp.partition for tp in there])
            except Exception as raised:  # noqa: BLE001 - it ends the subscription, under its own name
                self._heard.failed(error_of(raised))

        return told

    def _on_assign(self, given: list[int]) -> None:
        self._consumer.incremental_assign([])  # each is fetched once it was taken over
        self._learn()
        self._stirred = time.monotonic()
        self._given.update(given)
        self._heard.assigned(given)

    def _on_revoke(self, wanted: list[int]) -> None:
        leaving = self._stopping.is_set()  # then nothing is drained, and the client no longer knows its group
        if not leaving:
            self._learn()  # what is drained commits in this generation
            self._heard.revoked(wanted).wait(self._budget)
        self._heard.let_go(wanted)
        self._given.difference_update(wanted)
        self._unassign(wanted)
        if not leaving:
            self._learn()

    def _on_lost(self, gone: list[int]) -> None:
        self._heard.lost(gone)
        self._given.difference_update(gone)
        self._unassign(gone)
