"""Makes Kafka's topics be as they are wanted: creates, and sets what loses nothing; it never deletes or shrinks."""

import asyncio
from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
    TopicDescription,
)

from farandole.engines.kafka.address import read_address
from farandole.engines.kafka.catalog import FOR_EVER, PATIENCE, Catalog, patiently, settings_of
from farandole.engines.kafka.clients import Clients
from farandole.engines.kafka.failures import error_of, told_as, unavailable
from farandole.engines.kafka.greeting import greet
from farandole.engines.kafka.names import Names
from farandole.engines.kafka.stranded import Administrator
from farandole.events.errors import ConfigError
from farandole.log.care import ENGINE_TOPICS, Change, Wish, described
from farandole.log.record import TopicSpec

_RETENTION = "retention.ms"
_CLEANUP = "cleanup.policy"
_REFUSED = {KafkaError.INVALID_REPLICATION_FACTOR, KafkaError.POLICY_VIOLATION, KafkaError.INVALID_CONFIG}


class KafkaKeeper:
    """Implements `Keeper`. Made by `open`."""

    def __init__(self, clients: Clients) -> None:
        self._admin, self._names = clients.admin(), Names(clients.address.namespace)
        self._catalog = Catalog(self._admin, self._names)

    @classmethod
    async def open(cls, url: str) -> "KafkaKeeper":
        """Raises ConfigError for the URL, LogUnavailable where no broker lets us in."""
        clients = Clients(read_address(url))
        await greet(clients)
        return cls(clients)

    async def topics(self) -> list[TopicSpec]:
        """See `Keeper.topics`."""
        return await self._catalog.specs()

    async def compare(self, wish: Wish) -> list[Change]:
        """See `Keeper.compare`."""
        specs = sorted([*wish.specs, *ENGINE_TOPICS])
        outer = {spec.name: self._names.checked(spec.name) for spec in specs}
        there = await described_topics(self._admin, list(outer.values()))
        settings = await settings_of_topics(self._admin, list(there))
        changes: list[Change] = []
        for spec in specs:
            found = there.get(outer[spec.name])
            if found is None:
                changes.append(Change(spec.name, "create", "", "", _told(spec, wish)))
            else:
                changes += _differences(spec, wish, found, settings[outer[spec.name]])
        return changes

    async def apply(self, wish: Wish, changes: Sequence[Change]) -> None:
        """See `Keeper.apply`. Raises ConfigError where the cluster does not take the wish."""
        missing = {change.topic for change in changes if change.action == "create"}
        specs = {spec.name: spec for spec in (*wish.specs, *ENGINE_TOPICS)}
        for name in sorted(missing):
            await self._create(specs[name], wish)
        for change in changes:
            if change.action == "set":
                await self._set(change)

    async def close(self) -> None:
        """See `Keeper.close`: nothing is held."""

    async def _create(self, spec: TopicSpec, wish: Wish) -> None:
        name, copies = self._names.checked(spec.name), -1 if wish.replication is None else wish.replication
        new = NewTopic(name, spec.partitions, copies, config=wanted_settings(spec, wish))
        try:
            await asyncio.wrap_future(self._admin.client.create_topics([new])[name])
        except KafkaException as raised:
            error = error_of(raised)
            if error.code() in _REFUSED:
                raise ConfigError(f"topic {spec.name!r} can't be made so: {error.str()}") from raised
            if error.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise unavailable(f"topic {spec.name!r} can't be made", error) from raised

    async def _set(self, change: Change) -> None:
        entry = ConfigEntry(change.setting, change.wanted, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, self._names.outer(change.topic), incremental_configs=[entry])
        with told_as(f"{change.setting} of topic {change.topic!r} can't be set"):
            await asyncio.wrap_future(self._admin.client.incremental_alter_configs([resource])[resource])


async def described_topics(admin: Administrator, outer: Sequence[str]) -> dict[str, TopicDescription]:
    """Those of these that exist, with the rights that we have on them. Raises LogUnavailable."""
    if not outer:
        return {}
    asked = TopicCollection(list(outer))
    answers = admin.client.describe_topics(asked, include_authorized_operations=True, request_timeout=PATIENCE)
    found = {}
    for name, answer in answers.items():
        try:
            found[name] = await asyncio.wrap_future(answer)
        except KafkaException as raised:
            if error_of(raised).code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise unavailable(f"topic {name!r} can't be described", error_of(raised)) from raised
    return found


async def settings_of_topics(admin: Administrator, outer: Sequence[str]) -> dict[str, dict[str, str]]:
    """Every setting of these topics, the cluster's own included. Raises LogUnavailable.

    A broker that has not heard of a new topic yet is asked again: another one named it.
    """
    if not outer:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in outer]

    async def ask(left: float) -> dict[str, dict[str, str]]:
        answers = admin.client.describe_configs(resources, request_timeout=left)
        entries = {resource.name: await asyncio.wrap_future(answer) for resource, answer in answers.items()}
        return {name: {key: entry.value or "" for key, entry in of.items()} for name, of in entries.items()}

    return await patiently("the settings of topics can't be read", ask)


def wanted_settings(spec: TopicSpec, wish: Wish) -> dict[str, str]:
    """As `settings_of`, with the retention that is wished for."""
    settings = settings_of(spec)
    if wish.retention is not None and spec.name in wish.domain:
        settings[_RETENTION] = str(round(wish.retention * 1000))
    return settings


def _differences(spec: TopicSpec, wish: Wish, found: TopicDescription, settings: Mapping[str, str]) -> list[Change]:
    changes = []
    if len(found.partitions) != spec.partitions:
        changes.append(Change(spec.name, "by-hand", "partitions", str(len(found.partitions)), str(spec.partitions)))
    copies = min((len(partition.replicas) for partition in found.partitions), default=0)
    if wish.replication is not None and copies != wish.replication:
        changes.append(Change(spec.name, "by-hand", "replication", str(copies), str(wish.replication)))
    for name, wanted in wanted_settings(spec, wish).items():
        there = settings.get(name, "")
        if there != wanted:
            harmless = loses_nothing(name, there, wanted)
            changes.append(Change(spec.name, "set" if harmless else "by-hand", name, there, wanted))
    return changes


def loses_nothing(setting: str, there: str, wanted: str) -> bool:
    """Whether no record that is kept now could be deleted for the change."""
    if setting == _RETENTION:
        return wanted == FOR_EVER or (there != FOR_EVER and int(wanted) >= int(there))
    if setting == _CLEANUP:  # of both, compaction stays; from one to the other something would go
        return set(there.replace(" ", "").split(",")) == {"compact", "delete"} and wanted == "compact"
    return True


def _told(spec: TopicSpec, wish: Wish) -> str:
    parts = [described(spec)]
    if (kept := wanted_settings(spec, wish).get(_RETENTION, FOR_EVER)) != FOR_EVER:
        parts = [f"{parts[0].partition(',')[0]}, {_RETENTION} {kept}"]
    return ", ".join(parts if wish.replication is None else [*parts, f"replication {wish.replication}"])
