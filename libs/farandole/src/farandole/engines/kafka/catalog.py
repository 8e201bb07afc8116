"""Topics as the brokers have them: their partitions, and whether they are compacted."""

import asyncio
import itertools
from collections.abc import Iterable, Sequence

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from farandole.engines.kafka.failures import error_of, told_as, unavailable
from farandole.engines.kafka.names import Names
from farandole.events.errors import ConfigError, RecordRefused
from farandole.log.partitioner import partition_of
from farandole.log.record import NewRecord, TopicSpec

PATIENCE = 20.0  # seconds for one answer of the brokers
FOR_EVER = "-1"
"""As a `retention.ms`."""


class Catalog:
    """What is known of the topics. A number of partitions, once seen, may not change: keys would move."""

    def __init__(self, admin: AdminClient, names: Names) -> None:
        self._admin, self._names = admin, names
        self._partitions: dict[str, int] = {}
        self._compacted: dict[str, bool] = {}
        self._hidden: set[str] = set()
        self._spread = itertools.count()

    async def look(self) -> dict[str, int]:
        """Every topic of the log and its partitions, as the brokers say. Raises ConfigError for a changed number."""
        with told_as("the topics can't be listed"):
            metadata = await asyncio.to_thread(self._admin.list_topics, timeout=PATIENCE)
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
        return [await self._placed(record) for record in records]

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
        with told_as("the topics can't be listed"):
            metadata = await asyncio.to_thread(self._admin.list_topics, timeout=PATIENCE)
        if self._names.outer(spec.name) not in metadata.topics:
            await self._make([spec])
        self._hidden.add(spec.name)

    async def _placed(self, record: NewRecord) -> NewRecord:
        count = await self.partitions(record.topic)
        if count is None:
            raise RecordRefused(f"there is no topic {record.topic!r}; make it first (a service makes its own)")
        number = record.partition
        if number is None:
            spread = next(self._spread) % count
            return record._replace(partition=spread if record.key is None else partition_of(record.key, count))
        if not 0 <= number < count:
            raise RecordRefused(f"topic {record.topic!r} has no partition {number}; it has {count}, from 0 on")
        return record

    async def _learn_cleanup(self, names: Iterable[str]) -> None:
        unknown = [name for name in names if name not in self._compacted]
        if not unknown:
            return
        resources = [ConfigResource(ResourceType.TOPIC, self._names.outer(name)) for name in unknown]
        with told_as("the settings of topics can't be read"):
            for name, answer in zip(unknown, self._admin.describe_configs(resources).values(), strict=True):
                settings = await asyncio.wrap_future(answer)
                self._compacted[name] = "compact" in (settings["cleanup.policy"].value or "")

    async def _create(self, specs: Sequence[TopicSpec]) -> None:
        await self._make(specs)
        await self._until_there(specs)

    async def _make(self, specs: Sequence[TopicSpec]) -> None:
        new = [_new_topic(self._names.checked(spec.name), spec) for spec in specs]
        for spec, answer in zip(specs, self._admin.create_topics(new).values(), strict=True):
            try:
                await asyncio.wrap_future(answer)
            except KafkaException as raised:
                if error_of(raised).code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise unavailable(f"topic {spec.name!r} can't be made", error_of(raised)) from raised

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
