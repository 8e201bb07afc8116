"""Topics as the brokers have them: their partitions, and whether they are compacted."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ClusterMetadata, ConfigResource, NewTopic, ResourceType

from farandole.engines.kafka.failures import PASSING, error_of, unavailable
from farandole.engines.kafka.names import Names
from farandole.engines.kafka.stranded import Administrator
from farandole.events.errors import ConfigError, RecordRefused
from farandole.log.partitioner import partition_of
from farandole.log.record import NewRecord, TopicSpec

PATIENCE = 20.0  # seconds for one answer of the brokers
_ANSWER = 6.0  # seconds for an answer of one broker, which may have gone
STEADY = 30.0
"""Seconds in which what passes by itself is asked again: brokers start, and elect, at the same time as services."""
FOR_EVER = "-1"
"""As a `retention.ms`."""
_AGAIN = 0.1
_MAKING = PASSING | {
    KafkaError.NOT_CONTROLLER,
    KafkaError.INVALID_REPLICATION_FACTOR,  # a broker that is to hold a copy is just starting again
}
T = TypeVar("T")


async def patiently(what: str, ask: Callable[[float], Awaitable[T]], passing: Collection[int] = PASSING) -> T:
    """The answer of `ask`, which is given seconds to wait. Raises LogUnavailable saying `what` failed."""
    deadline = time.monotonic() + STEADY
    while True:
        try:
            return await ask(max(1.0, deadline - time.monotonic()))
        except KafkaException as raised:
            error = error_of(raised)
            if error.code() not in passing or time.monotonic() > deadline:
                raise unavailable(what, error) from raised
        await asyncio.sleep(_AGAIN)


class Catalog:
    """What is known of the topics. A number of partitions, once seen, may not change: keys would move."""

    def __init__(self, admin: Administrator, names: Names) -> None:
        self._admin, self._names = admin, names
        self._partitions: dict[str, int] = {}
        self._compacted: dict[str, bool] = {}
        self._hidden: set[str] = set()
        self._spread = itertools.count()

    async def look(self) -> dict[str, int]:
        """Every topic of the log and its partitions, as the brokers say. Raises ConfigError for a changed number."""
        metadata = await self._listed()
        found: dict[str, int] = {}
        for outer, topic in metadata.topics.items():
            name = self._names.inner(outer)
            if name is not None and topic.error is None and topic.partitions:
                found[name] = len(topic.partitions)
        for name, partitions in found.items():
            before = self._partitions.setdefault(name, partitions)
            if before != partitions:
                raise ConfigError(
                    f"topic {name!r} had {before} partitions and has {partitions} now: keys have moved, and order is "
                    "lost; make a new topic instead, and let the services start again"
                )
        return found

    async def partitions(self, name: str) -> int | None:
        """How many partitions a topic has; None where it does not exist."""
        if name not in self._partitions:
            await self.look()
        return self._partitions.get(name)

    async def specs(self) -> list[TopicSpec]:
        """Every topic, by name."""
        found = await self.look()
        await self._learn_cleanup(found)
        return [TopicSpec(name, found[name], self._compacted[name]) for name in sorted(found)]

    async def spec(self, name: str) -> TopicSpec | None:
        """One topic, or None."""
        partitions = await self.partitions(name)
        if partitions is None:
            return None
        await self._learn_cleanup([name])
        return TopicSpec(name, partitions, self._compacted[name])

    async def placed(self, records: Iterable[NewRecord]) -> list[NewRecord]:
        """The records with their partition. Raises RecordRefused where topic or partition does not exist."""
        wanted = list(records)
        for topic in {record.topic for record in wanted} - self._partitions.keys():
            await self.partitions(topic)
        return [self._placed(record) for record in wanted]

    async def ensure(self, specs: Sequence[TopicSpec]) -> None:
        """Make what is missing. Raises ConfigError where a topic exists with another shape."""
        missing = []
        for spec in specs:
            there = await self.spec(spec.name)
            if there is None:
                missing.append(spec)
            else:
                _check_shape(spec, there)
        if missing:
            await self._create(missing)

    async def ensure_hidden(self, spec: TopicSpec) -> None:
        """Make a topic that the engine keeps for itself, where it is missing."""
        if spec.name in self._hidden:
            return
        metadata = await self._listed()
        if self._names.outer(spec.name) not in metadata.topics:
            await self._make([spec])
        self._hidden.add(spec.name)

    async def _listed(self) -> ClusterMetadata:
        return await patiently("the topics can't be listed", self._list)

    async def _list(self, left: float) -> ClusterMetadata:
        return await asyncio.to_thread(self._admin.list_topics, min(left, _ANSWER))

    async def _demand(
        self, what: str, ask: Callable[[float], Awaitable[None]], passing: Collection[int] = PASSING
    ) -> None:
        """Ask the one broker that the client takes for the controller; before asking again, look which that is now."""
        tries = itertools.count()

        async def asked(left: float) -> None:
            if next(tries):
                await self._list(left)
            await ask(min(left, _ANSWER))

        await patiently(what, asked, passing)

    def _placed(self, record: NewRecord) -> NewRecord:
        count = self._partitions.get(record.topic)
        if count is None:
            raise RecordRefused(f"there is no topic {record.topic!r}; make it first (a service makes its own)")
        topic, value, key, headers, number = record
        if number is None:
            number = next(self._spread) % count if key is None else partition_of(key, count)
            return tuple.__new__(NewRecord, (topic, value, key, headers, number))
        if not 0 <= number < count:
            raise RecordRefused(f"topic {record.topic!r} has no partition {number}; it has {count}, from 0 on")
        return record

    async def _learn_cleanup(self, names: Iterable[str]) -> None:
        resources = {name: ConfigResource(ResourceType.TOPIC, self._names.outer(name)) for name in names}

        async def ask(left: float) -> None:
            unknown = [name for name in resources if name not in self._compacted]
            if not unknown:
                return
            answers = self._admin.client.describe_configs([resources[name] for name in unknown], request_timeout=left)
            for name in unknown:
                settings = await asyncio.wrap_future(answers[resources[name]])
                self._compacted[name] = "compact" in (settings["cleanup.policy"].value or "")

        await self._demand("the settings of topics can't be read", ask)

    async def _create(self, specs: Sequence[TopicSpec]) -> None:
        await self._make(specs)
        await self._until_there(specs)

    async def _make(self, specs: Sequence[TopicSpec]) -> None:
        missing = {spec.name: _new_topic(self._names.checked(spec.name), spec) for spec in specs}

        async def ask(left: float) -> None:
            answers = self._admin.client.create_topics(list(missing.values()), request_timeout=left)
            for name, topic in list(missing.items()):
                try:
                    await asyncio.wrap_future(answers[topic.topic])
                except KafkaException as raised:
                    if error_of(raised).code() != KafkaError.TOPIC_ALREADY_EXISTS:
                        raise
                del missing[name]

        await self._demand(f"the topics {', '.join(missing)} can't be made", ask, _MAKING)

    async def _until_there(self, specs: Sequence[TopicSpec]) -> None:
        """Another broker may know of a new topic a moment later."""
        for _ in range(200):
            found = await self.look()
            if all(spec.name in found for spec in specs):
                break
            await asyncio.sleep(0.05)
        for spec in specs:
            _check_shape(spec, await self.spec(spec.name) or spec)


def settings_of(spec: TopicSpec) -> dict[str, str]:
    """The settings of a topic as it has to be; what is not named is the cluster's business."""
    config = {
        "message.timestamp.type": "LogAppendTime",
        "cleanup.policy": "compact" if spec.compacted else "delete",
    }
    return config if spec.compacted else config | {"retention.ms": FOR_EVER}


def _new_topic(name: str, spec: TopicSpec) -> NewTopic:
    return NewTopic(name, num_partitions=spec.partitions, replication_factor=-1, config=settings_of(spec))


def _check_shape(wanted: TopicSpec, there: TopicSpec) -> None:
    if wanted.partitions != there.partitions:
        raise ConfigError(
            f"topic {wanted.name!r} has {there.partitions} partitions, not {wanted.partitions}; keys would move: "
            "say the number that it has, or use another namespace"
        )
    if wanted.compacted != there.compacted:
        kind = ("is not compacted", "is compacted")[there.compacted]
        raise ConfigError(f"topic {wanted.name!r} {kind}; set its cleanup.policy, or use another namespace")
