"""`KafkaLog`: the log's port on Apache Kafka; what it does stands in the modules beside it."""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import OffsetSpec

from farandole.engines.kafka.address import Address, read_address
from farandole.engines.kafka.appender import Appender
from farandole.engines.kafka.catalog import Catalog
from farandole.engines.kafka.clients import APPENDING, RECORD_LIMIT, Clients
from farandole.engines.kafka.clock import SystemClock
from farandole.engines.kafka.ends import Ends
from farandole.engines.kafka.failures import error_of, unavailable
from farandole.engines.kafka.greeting import greet
from farandole.engines.kafka.names import Names
from farandole.engines.kafka.offsets import listed
from farandole.engines.kafka.positions import as_committed, positions_of
from farandole.engines.kafka.pruning import cut
from farandole.engines.kafka.reader import KafkaReader, as_record, one_record
from farandole.engines.kafka.subscription import KafkaSubscription, Parts
from farandole.engines.kafka.transactor import Transactor
from farandole.events.errors import ConfigError, LogUnavailable
from farandole.events.topics import CLIENT
from farandole.log.ports import Capabilities, Clock, Interest, Lease
from farandole.log.pruning import check_prunable
from farandole.log.record import NewRecord, Place, Record, Span, TopicPartition, TopicSpec

_COMMIT_LIMIT = 2_000


def _go_on(point: str) -> None:
    """No fault is planted."""


class KafkaLog:
    """Implements `Log`. Made by `open`; one handle a process, from one event loop."""

    capabilities = Capabilities(
        engine="kafka",
        durable=True,
        shared=True,
        identities=False,
        record_limit=RECORD_LIMIT,
        commit_limit=_COMMIT_LIMIT,
    )
    clock: Clock = SystemClock()

    def __init__(self, address: Address, passed: Callable[[str], None] = _go_on) -> None:
        self._names = Names(address.namespace)
        self._clients = Clients(address)
        self._admin = self._clients.admin()
        self._catalog = Catalog(self._admin, self._names)
        self._ends = Ends(self._admin)
        self._passed = passed
        drawn = self._clients.transactional_id(self._names.outer(CLIENT))
        transactor = Transactor(self._clients, drawn, self._pass, APPENDING)
        self._appender = Appender(self._clients, self._catalog, self._names, transactor, self.clock)
        self._subscriptions: list[KafkaSubscription] = []
        self._readers: list[KafkaReader] = []
        self._closed = False

    @classmethod
    async def open(cls, url: str) -> "KafkaLog":
        """A handle on the log at the URL. Raises ConfigError for the URL, LogUnavailable where no broker answers."""
        log = cls(read_address(url))
        await greet(log._clients)
        await log._catalog.look()
        return log

    async def ensure(self, topics: Sequence[TopicSpec]) -> None:
        """See `Log.ensure`."""
        self._check()
        await self._catalog.ensure(list(topics))

    async def topics(self) -> list[TopicSpec]:
        """See `Log.topics`."""
        self._check()
        return await self._catalog.specs()

    async def append(
        self, records: Sequence[NewRecord], *, identities: Sequence[bytes | None] | None = None
    ) -> list[Place]:
        """See `Log.append`."""
        self._check()
        given = tuple(records)
        names = (None,) * len(given) if identities is None else tuple(identities)
        if len(names) != len(given):
            raise ConfigError(f"{len(names)} identities for {len(given)} records; give one each, or none")
        return await self._appender.append(given, names)

    async def subscribe(self, interest: Interest) -> KafkaSubscription:
        """See `Log.subscribe`. Raises ConfigError where a topic is missing or of another shape."""
        self._check()
        await self._check_ground(interest)
        parts = Parts(self._clients, self._admin, self._catalog, self._names, self._pass)
        subscription = KafkaSubscription(parts, interest, len(self._subscriptions))
        self._subscriptions.append(subscription)
        return subscription

    async def reader(self, topics: Sequence[str], start: Mapping[TopicPartition, int] | None = None) -> KafkaReader:
        """See `Log.reader`."""
        self._check()
        reader = KafkaReader(self._clients, self._admin, self._catalog, self._names, topics)
        self._readers.append(reader)
        await reader.begin(start or {})
        return reader

    async def fetch(self, topic: str, partition: int, offset: int) -> Record | None:
        """See `Log.fetch`."""
        span = (await self.spans([topic])).get((topic, partition))
        if span is None or not span.start <= offset < span.end:
            return None
        found = await one_record(self._clients, self._admin, (self._names.outer(topic), partition), offset)
        return None if found is None else as_record(found, topic)

    async def spans(self, topics: Sequence[str]) -> dict[TopicPartition, Span]:
        """See `Log.spans`."""
        self._check()
        there = await self._catalog.look()
        places = [(self._names.outer(name), n) for name in topics if name in there for n in range(there[name])]
        first, last = await asyncio.gather(listed(self._admin, places, OffsetSpec.earliest()), self._ends.of(places))
        inner = {self._names.outer(name): name for name in topics}
        return {(inner[outer], n): Span(first[outer, n], last[outer, n]) for outer, n in places}

    async def offset_at(self, topic: str, partition: int, time: float) -> int:
        """See `Log.offset_at`. Raises ConfigError where the partition does not exist."""
        self._check()
        count = await self._catalog.partitions(topic)
        if count is None or not 0 <= partition < count:
            raise ConfigError(f"there is no partition {partition} of a topic {topic!r}")
        place = self._names.outer(topic), partition
        moment = max(0, math.ceil(round(time * 1000, 3)))
        found = (await listed(self._admin, [place], OffsetSpec.for_timestamp(moment)))[place]
        return found if found >= 0 else (await self._ends.of([place]))[place]

    async def prune(self, before: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """See `Log.prune`."""
        wanted = dict(before)
        specs = {spec.name: spec for spec in await self.topics()}
        spans = await self.spans(sorted({topic for topic, _ in wanted}))
        check_prunable(wanted, spans, {name for name, spec in specs.items() if spec.compacted})
        outer = {(self._names.outer(topic), number): (topic, number) for topic, number in wanted}
        cuts = {there: wanted[place] for there, place in outer.items() if wanted[place] > spans[place].start}
        begun = await cut(self._admin, cuts)
        return {place: begun.get(there, spans[place].start) for there, place in outer.items()}

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        """See `Log.committed`."""
        self._check()
        there = await self._catalog.look()
        places = [(self._names.outer(topic), number) for topic, count in there.items() for number in range(count)]
        async with positions_of(self._clients, self._names.outer(group)) as positions:
            found = as_committed(await positions.of(places))
        return {(inner, n): at for (outer, n), at in found.items() if (inner := self._names.inner(outer)) is not None}

    async def leases(self) -> dict[str, list[tuple[Lease, str]]]:
        """See `Log.leases`."""
        self._check()
        await self._catalog.look()
        try:
            listing = await asyncio.wrap_future(self._admin.client.list_consumer_groups())
            ours = {one.group_id: name for one in listing.valid if (name := self._names.inner(one.group_id))}
            answers = self._admin.client.describe_consumer_groups(list(ours)) if ours else {}
            described = [await asyncio.wrap_future(answer) for answer in answers.values()]
        except KafkaException as raised:
            raise unavailable("the groups can't be read", error_of(raised)) from raised
        found: dict[str, list[tuple[Lease, str]]] = {}
        for group in described:
            if group.state != ConsumerGroupState.EMPTY:
                found[ours[group.group_id]] = await self._leases_of(ours[group.group_id], group)
        return {group: leases for group, leases in found.items() if leases}

    async def close(self) -> None:
        """See `Log.close`."""
        if self._closed:
            return
        self._closed = True
        await asyncio.gather(*(subscription.close() for subscription in self._subscriptions))
        for reader in self._readers:
            await reader.close()
        self._appender.close()

    async def _leases_of(self, name: str, group: object) -> list[tuple[Lease, str]]:
        members = group.members  # type: ignore[attr-defined]
        assigned = [(tp.topic, tp.partition) for member in members for tp in member.assignment.topic_partitions]
        async with positions_of(self._clients, self._names.outer(name)) as positions:
            notes = await positions.lately(assigned)
        found = []
        for member in members:
            for tp in member.assignment.topic_partitions:
                topic = self._names.inner(tp.topic)
                position = notes.get((tp.topic, tp.partition))
                if topic is not None:
                    epoch = position.note.epoch if position is not None else 0
                    found.append((Lease(name, topic, tp.partition, epoch), f"{member.host}/{member.client_id}"))
        return found

    async def _check_ground(self, interest: Interest) -> None:
        specs = {}
        for name in filter(None, (interest.topic, interest.inbox, interest.state)):
            spec = await self._catalog.spec(name)
            if spec is None:
                raise ConfigError(f"there is no topic {name!r}; make it before {interest.group!r} subscribes")
            specs[name] = spec
        leased = specs[interest.topic]
        for spec in specs.values():
            if spec.partitions != leased.partitions:
                raise ConfigError(
                    f"topic {spec.name!r} has {spec.partitions} partitions, {leased.name!r} has {leased.partitions}; "
                    "they are leased by number, so create it with as many"
                )
        if interest.state is not None and not specs[interest.state].compacted:
            raise ConfigError(f"topic {interest.state!r} is not compacted; a step's state must be")

    def _pass(self, point: str) -> None:
        self._passed(point)

    def _check(self) -> None:
        if self._closed:
            raise LogUnavailable("this handle on the log is closed; open another")
