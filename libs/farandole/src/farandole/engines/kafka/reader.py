"""Reading committed records without a group, by aiokafka: on the event loop, woken by the broker."""

import asyncio
import time
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka import TopicPartition as Place
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from confluent_kafka.admin import OffsetSpec

from farandole.engines.kafka.astray import Astray
from farandole.engines.kafka.catalog import Catalog
from farandole.engines.kafka.clients import SILENCE, Clients
from farandole.engines.kafka.logins import for_aiokafka
from farandole.engines.kafka.names import Names
from farandole.engines.kafka.note import ENTERED
from farandole.engines.kafka.offsets import Place as Inner
from farandole.engines.kafka.offsets import listed
from farandole.engines.kafka.stranded import Administrator
from farandole.engines.kafka.undertones import hush
from farandole.events.errors import LogUnavailable
from farandole.log.record import Record, TopicPartition

_LOOK = 0.5  # seconds after which a reader that waits for topics looks for them again
_WAIT_MS = 500
_ONE_MS = 100


def observer(clients: Clients, *, committed: bool = True) -> AIOKafkaConsumer:
    """A client that only reads; safe settings. What is not committed is for a doctor's eyes only."""
    hush()
    return AIOKafkaConsumer(
        bootstrap_servers=clients.address.servers.split(","),
        isolation_level="read_committed" if committed else "read_uncommitted",
        enable_auto_commit=False,
        auto_offset_reset="none",
        fetch_max_wait_ms=_WAIT_MS,
        request_timeout_ms=int(SILENCE * 1000),
        check_crcs=True,
        **for_aiokafka(clients.security),
    )


class KafkaReader:
    """Implements `Reader`."""

    def __init__(
        self, clients: Clients, admin: Administrator, catalog: Catalog, names: Names, topics: Sequence[str]
    ) -> None:
        self._clients, self._admin, self._catalog, self._names = clients, admin, catalog, names
        self._missing = list(dict.fromkeys(topics))
        self._inner: dict[str, str] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._given: dict[TopicPartition, int] = {}
        self._consumer: AIOKafkaConsumer | None = None
        self._astray = Astray(admin)
        self._looked = 0.0

    async def begin(self, start: Mapping[TopicPartition, int]) -> None:
        """Connect, and stand where it is told to."""
        self._given = dict(start)
        self._consumer = observer(self._clients)
        try:
            await self._consumer.start()
        except KafkaError as error:
            raise LogUnavailable(f"the brokers {self._clients.address.servers} can't be reached: {error}") from error
        await self._take_up()

    async def poll(self, *, limit: int = 1000, timeout: float = 0.0) -> list[Record]:
        """See `Reader.poll`."""
        until = time.monotonic() + timeout
        while True:
            if self._missing and time.monotonic() - self._looked >= min(_LOOK, timeout or _LOOK):
                await self._take_up()
            left = max(0.0, until - time.monotonic())
            records = await self._get(limit, min(left, _LOOK) if self._missing else left)
            if records or time.monotonic() >= until:
                return records

    def positions(self) -> dict[TopicPartition, int]:
        """See `Reader.positions`."""
        return dict(self._positions)

    async def close(self) -> None:
        """See `Reader.close`."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await stop(consumer)

    async def _take_up(self) -> None:
        """Assign the topics that have appeared."""
        assert self._consumer is not None
        self._looked = time.monotonic()
        there = await self._catalog.look()
        appeared = [name for name in self._missing if name in there]
        if not appeared:
            return
        places = [(self._names.outer(name), number) for name in appeared for number in range(there[name])]
        first = await listed(self._admin, places, OffsetSpec.earliest())
        for name in appeared:
            outer = self._names.outer(name)
            self._inner[outer] = name
            for number in range(there[name]):
                self._positions[name, number] = self._given.get((name, number), first[outer, number])
        self._missing = [name for name in self._missing if name not in there]
        self._consumer.assign([Place(self._names.outer(name), number) for name, number in self._positions])
        for (name, number), offset in self._positions.items():
            self._consumer.seek(Place(self._names.outer(name), number), offset)

    async def _get(self, limit: int, timeout: float) -> list[Record]:
        if self._consumer is None:
            raise LogUnavailable("this reader is closed; open another")
        if not self._positions:
            await asyncio.sleep(timeout)
            return []
        try:
            found = await self._consumer.getmany(timeout_ms=int(timeout * 1000), max_records=limit)
        except OffsetOutOfRangeError as error:
            await self._astray.bear(error)
            return []
        except KafkaError as error:
            raise LogUnavailable(f"the log can't be read: {error}") from error
        records = [as_record(one, self._inner[one.topic]) for some in found.values() for one in some]
        for record in records:
            self._positions[record.topic, record.partition] = record.offset + 1
        if not records:
            await self._pass_markers()
        return [record for record in records if record.key != ENTERED]

    async def _pass_markers(self) -> None:
        """What ends a transaction takes an offset and is never delivered: behind the last record stands more."""
        assert self._consumer is not None
        for place in self._consumer.assignment():
            name = self._inner[place.topic]
            self._positions[name, place.partition] = await self._consumer.position(place)


async def one_record(clients: Clients, admin: Administrator, place: Inner, offset: int) -> ConsumerRecord | None:
    """The committed record that lies there; nothing where none does. Raises LogError."""
    there, astray, consumer = Place(*place), Astray(admin), observer(clients)
    try:
        await consumer.start()
        consumer.assign([there])
        consumer.seek(there, offset)
        while await consumer.position(there) <= offset:
            try:
                found = await consumer.getmany(timeout_ms=_ONE_MS, max_records=1)
            except OffsetOutOfRangeError as error:
                await astray.bear(error)
            else:
                for one in found.get(there, ()):
                    return one if one.offset == offset else None
    except KafkaError as error:
        raise LogUnavailable(f"{place[0]}/{place[1]}/{offset} can't be read: {error}") from error
    finally:
        await stop(consumer)
    return None


async def stop(consumer: AIOKafkaConsumer) -> None:
    """Disconnect. aiokafka 0.14 cancels a fetch that waits for its next try, and lets that out for ours."""
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        await consumer._client.close()  # what was left to do


def as_record(one: ConsumerRecord, topic: str) -> Record:
    """A record of this client."""
    headers = tuple((name, value) for name, value in one.headers)
    return Record(topic, one.partition, one.offset, one.timestamp / 1000, one.key, one.value, headers)
