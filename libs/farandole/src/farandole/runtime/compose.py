"""Turns outcomes into what one commit writes, and, once that is durable, moves the partitions on.

Composing reads and copies; only `Prepared.apply` changes state. So a commit that fails can be composed again,
smaller, and what ends after composing is never in it.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from farandole.events.codec import encode
from farandole.events.envelope import Envelope
from farandole.events.facts import FACTS, FACTS_VERSION, RECORD_LIMIT
from farandole.events.ids import content_id
from farandole.events.topics import JOURNAL
from farandole.log.partitioner import journal_partition
from farandole.log.ports import Unit
from farandole.log.record import NewRecord
from farandole.runtime.delivery import Delivery, State
from farandole.runtime.outcome import Outcome
from farandole.runtime.partition import Partition
from farandole.runtime.plan import Plan
from farandole.runtime.rows import delivery_row

OPEN_AFTER = 5.0  # seconds after which a running attempt gets a row, so that the partition can go on
COMMIT_BYTES = 4 * 1024 * 1024
COMMIT_RECORDS = 2000
_to_json = msgspec.json.Encoder().encode  # facts hold plain values only; twice as fast as pydantic's


class Prepared:
    """One partition's share of a commit."""

    __slots__ = ("_now", "_opened", "_settled", "_standing", "partition", "positions", "rows", "unit")

    def __init__(self, plan: Plan, partition: Partition, outcomes: list[Outcome], now: float, age: float) -> None:
        self.partition, self._now = partition, now
        self.rows: dict[str, bytes | None] = {}
        self._settled: dict[int, Delivery] = {}
        self._standing: dict[int, Delivery] = {}
        records: list[NewRecord] = []
        settled = self._settled
        for outcome in outcomes:
            records += outcome.records
            delivery = outcome.delivery
            if outcome.settles and delivery.row is None and not (outcome.rows or self.rows or self._standing):
                settled[id(delivery)] = delivery
            else:
                self._row_changes(outcome)
        self._opened: list[Delivery] = []
        self.positions = {topic: self._position(topic, age) for topic in partition.inflight}
        self.rows |= partition.seen.rows(self.positions.get(plan.leased, 0), now)
        self.rows |= partition.holding.forgotten(now)
        number = partition.lease.partition
        records += [NewRecord(plan.state, row, key.encode(), (), number) for key, row in self.rows.items()]
        records += journal_records(plan, outcomes)
        moved = {t: p for t, p in self.positions.items() if p != partition.position.get(t)}
        self.unit = Unit(partition.lease, records, moved)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.unit.outputs and not self.unit.positions

    def _row_changes(self, outcome: Outcome) -> None:
        delivery = outcome.delivery
        if outcome.rows:
            self.rows |= outcome.rows
        if outcome.settles:
            self._settled[id(delivery)] = delivery
            if self._standing:
                self._standing.pop(id(delivery), None)
            if delivery.row is not None:
                self.rows[delivery.row] = None
            elif self.rows and delivery.group is None:
                self.rows.pop(delivery.key, None)
        elif delivery.key in outcome.rows:
            self._standing[id(delivery)] = delivery

    def _position(self, topic: str, age: float) -> int:
        """Up to where every record is finished or has a row after this commit; writes the open rows."""
        inflight = self.partition.inflight[topic]
        done = self._settled.keys() | self._standing.keys() if self._standing else self._settled.keys()
        high = self.partition.position.get(topic, 0)
        for offset, delivery in inflight.items():
            if id(delivery) in done or delivery.received <= age:
                high = offset + 1
        for offset, delivery in inflight.items():
            if offset >= high:
                return max(high, offset)
            if id(delivery) not in done:
                kind = "parked" if delivery.state is State.PARKED else "open"
                self.rows[delivery.key] = delivery_row(delivery, kind)
                self._opened.append(delivery)
        return self.partition.next[topic]

    def apply(self) -> None:
        """The commit is durable."""
        partition = self.partition
        partition.position |= self.positions
        for delivery in (*self._standing.values(), *self._opened):
            delivery.row = delivery.key
            partition.owed[delivery.key] = delivery
            self._drop(delivery)
        owed, inflight = partition.owed, partition.inflight
        for delivery in self._settled.values():
            if owed:
                owed.pop(delivery.key, None)
            delivery.row = None
            if delivery.topic in inflight:
                inflight[delivery.topic].pop(delivery.offset, None)
        partition.remembered(self.rows, self.positions, self._now)

    def _drop(self, delivery: Delivery) -> None:
        inflight = self.partition.inflight.get(delivery.topic)
        if inflight is not None:
            inflight.pop(delivery.offset, None)


def compose(plan: Plan, outcomes: Iterable[Outcome], partitions: Iterable[Partition], age: float) -> list[Prepared]:
    """What to commit for `outcomes`, and for partitions with deliveries received before `age` (or that idle)."""
    per_partition: dict[int, tuple[Partition, list[Outcome]]] = {id(p): (p, []) for p in partitions}
    for outcome in outcomes:
        partition = outcome.delivery.partition
        if not partition.gone:
            per_partition.setdefault(id(partition), (partition, []))[1].append(outcome)
    now = plan.clock.now()
    prepared = [Prepared(plan, p, found, now, age) for p, found in per_partition.values() if not p.gone]
    return [p for p in prepared if not p.empty]


def take(outcomes: Iterable[Outcome]) -> int:
    """How many of the outcomes, from the first on, go into one commit; a single large one goes alone."""
    count = records = size = 0
    for outcome in outcomes:
        records += len(outcome.records) + len(outcome.rows) + 1
        for record in outcome.records:
            size += len(record.value or b"") + 512
        if outcome.rows:
            size += sum(len(row or b"") + 64 for row in outcome.rows.values())
        if count and (records > COMMIT_RECORDS or size > COMMIT_BYTES):
            break
        count += 1
    return count


def journal_records(plan: Plan, outcomes: list[Outcome]) -> list[NewRecord]:
    """The facts of the outcomes as few records per journal partition as stay under 256 kB each, in order."""
    shares: dict[int, list[dict[str, Any]]] = {}
    for outcome in outcomes:
        for fact in outcome.facts:
            shares.setdefault(journal_partition(fact["workflow"], plan.journal_partitions), []).append(fact)
    return [record for number, facts in shares.items() for record in _packed(plan, number, facts)]


def _packed(plan: Plan, number: int, facts: list[dict[str, Any]]) -> Iterator[NewRecord]:
    data = _to_json(facts)
    if len(data) > RECORD_LIMIT and len(facts) > 1:
        middle = len(facts) // 2
        yield from _packed(plan, number, facts[:middle])
        yield from _packed(plan, number, facts[middle:])
        return
    envelope = Envelope(content_id(data), plan.producer, FACTS, FACTS_VERSION, data)
    parts = encode(envelope)
    yield NewRecord(JOURNAL, parts.value, None, parts.headers, number)
