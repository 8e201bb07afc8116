"""Finds out whether a log on Kafka is well, and says what to do; it writes nothing anywhere."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka.errors import KafkaError as ClientError
from aiokafka.protocol.admin import ApiVersionRequest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AclOperation, TopicDescription

from farandole.engines.kafka.address import read_address
from farandole.engines.kafka.applying import described_topics, settings_of_topics
from farandole.engines.kafka.clients import Clients
from farandole.engines.kafka.failures import error_of, told_as, unavailable
from farandole.engines.kafka.greeting import connection, greet
from farandole.engines.kafka.group_health import Group, clock_findings, group_findings, groups_of, transaction_findings
from farandole.engines.kafka.names import Names
from farandole.engines.kafka.right_health import Asker, allowed_by, lacking
from farandole.engines.kafka.stranded import Administrator
from farandole.engines.kafka.topic_health import Topic, partition_findings, topic_findings
from farandole.events.errors import LogError
from farandole.log.care import Finding, Kind, Kinds, Right

_ANSWER = 10.0  # seconds
_FETCH, _FIRST = 1, 4  # Kafka 4.0 no longer takes fetches of a version below 4 (KIP-896)
_NEEDED = (AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE_CONFIGS)


class _Scene(NamedTuple):
    clients: Clients
    admin: Administrator
    names: Names


async def examine(url: str, kinds: Kinds, wanted: Sequence[Right] | None = None) -> list[Finding]:
    """Everything that can be known without writing. Raises ConfigError for the URL and the environment.

    `wanted`: the rights that this user needs, where that is known; else it is told what it may not do with each topic.
    """
    try:
        clients = Clients(read_address(url))
    except LogError as error:  # no token is to be had
        return [_failed("reachable", error)]
    scene = _Scene(clients, clients.admin(), Names(clients.address.namespace))
    findings, servers = await _reached(scene)
    if servers:
        findings += await _told_or_failed("version", lambda: _versions(scene, servers))
        if wanted is not None:
            asker = Asker(clients, scene.admin, scene.names, servers[0])
            findings += await _told_or_failed("rights", lambda: lacking(asker, wanted))
        findings += await _told_or_failed("topics", lambda: _log(scene, kinds, of_all=wanted is None))
    return findings


async def _told_or_failed(check: str, look: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    try:
        return await look()
    except LogError as error:
        return [_failed(check, error)]


def _failed(check: str, error: LogError) -> Finding:
    said, _, remedy = str(error).rpartition("; ")
    return Finding(check, "fail", said or remedy, remedy if said else "")


async def _reached(scene: _Scene) -> tuple[list[Finding], list[str]]:
    """Whether brokers let us in, and all brokers that they know."""
    servers: list[str] = []

    async def look() -> list[Finding]:
        await greet(scene.clients)
        with told_as(f"no broker answers at {scene.clients.address.servers}"):
            metadata = await asyncio.to_thread(scene.admin.list_topics, _ANSWER)
        servers.extend(f"{broker.host}:{broker.port}" for broker in metadata.brokers.values())
        said = f"{len(servers)} brokers, security={scene.clients.security.protocol}"
        return [Finding("reachable", "ok", said)]

    return await _told_or_failed("reachable", look), servers


async def _versions(scene: _Scene, servers: Sequence[str]) -> list[Finding]:
    found = []
    for server in sorted(servers):
        try:
            async with connection(scene.clients, server) as one:
                answer = await one.send(ApiVersionRequest())
        except (ClientError, OSError, EOFError) as error:
            said = f"{server} is named by the others and does not answer: {type(error).__name__}"
            found.append(Finding("version", "fail", said, "see to it, its advertised.listeners and the network"))
            continue
        least = {key: version for key, version, _ in answer.api_versions}
        if least.get(_FETCH, 0) < _FIRST:
            found.append(Finding("version", "fail", f"{server} is older than Kafka 4.0", "upgrade it"))
    return found or [Finding("version", "ok", f"{len(servers)} brokers are of Kafka 4.0 or newer")]


async def _log(scene: _Scene, kinds: Kinds, *, of_all: bool) -> list[Finding]:
    with told_as("the topics can't be listed"):
        metadata = await asyncio.to_thread(scene.admin.list_topics, _ANSWER)
    inner = {outer: name for outer in metadata.topics if (name := scene.names.inner(outer)) is not None}
    described = await described_topics(scene.admin, sorted(inner))
    if not described:
        remedy = "start a service, or farandole topics apply; a wrong namespace, or no right to describe, looks alike"
        return [Finding("topics", "warn", "there are no topics", remedy)]
    told = [name for name, one in described.items() if AclOperation.DESCRIBE_CONFIGS in allowed_by(one)]
    settings = await settings_of_topics(scene.admin, told)
    kind = kinds(set(inner.values()))
    topics = {name: _topic(inner[name], kind[inner[name]], described[name], settings[name]) for name in told}
    places = [(outer, number) for outer, topic in topics.items() for number in range(topic.partitions)]
    groups = await groups_of(scene.clients, scene.admin, scene.names, places)
    readable = [place for place in places if AclOperation.READ in allowed_by(described[place[0]])]
    leased = _leased(groups, topics, scene.names)
    return [
        *(await _rights(scene, described, inner, [group.outer for group in groups]) if of_all else ()),
        *topic_findings(topics.values()),
        *partition_findings(leased),
        *await group_findings(scene.admin, groups),
        *await transaction_findings(scene.clients, scene.admin, readable, time.time()),
        *await clock_findings(scene.admin, [p for p in places if topics[p[0]].kind == "kept"], time.time()),
    ]


def _leased(groups: Sequence[Group], topics: Mapping[str, Topic], names: Names) -> dict[str, list[Topic]]:
    """By group the topics that it leases by number; of a step without a group, those that its name tells."""
    sets = {group.name: group.topics(names) for group in groups}
    for topic in topics.values():
        if topic.kind == "compacted" and topic.name.endswith(".state"):
            stem = topic.name.removesuffix(".state")
            sets.setdefault(stem.replace(".", "/"), {names.outer(f"{stem}.inbox"), names.outer(topic.name)})
    return {group: [topics[outer] for outer in sorted(of) if outer in topics] for group, of in sets.items()}


def _topic(name: str, kind: Kind, one: TopicDescription, settings: dict[str, str]) -> Topic:
    return Topic(
        name,
        kind,
        len(one.partitions),
        min(len(partition.replicas) for partition in one.partitions),
        min(len(partition.isr) for partition in one.partitions),
        [partition.id for partition in one.partitions if not _led(partition)],
        settings,
    )


def _led(partition: Any) -> bool:
    return partition.leader is not None and partition.leader.id >= 0


async def _rights(
    scene: _Scene, described: dict[str, TopicDescription], inner: dict[str, str], groups: Sequence[str]
) -> list[Finding]:
    """What this user may do with the topics and groups that are there; of no service it is known what it needs."""
    found = []
    for outer, one in sorted(described.items()):
        allowed = allowed_by(one)
        missing = [right.name for right in _NEEDED if right not in allowed]
        if missing:
            said = f"topic {inner[outer]!r}: this user may not {', '.join(missing)}"
            found.append(Finding("rights", "warn", said, "a service that needs it stops; kafka-acls --topic gives it"))
    for name in await _unreadable(scene.admin, groups):
        said = f"group {name!r}: this user may not READ"
        found.append(Finding("rights", "warn", said, "its step cannot commit; kafka-acls --group gives it"))
    said = f"{len(described)} topics and {len(groups)} groups; name services, and theirs are looked at, to the last one"
    return found or [Finding("rights", "ok", said)]


async def _unreadable(admin: Administrator, groups: Sequence[str]) -> list[str]:
    if not groups:
        return []
    answers = admin.client.describe_consumer_groups(
        list(groups), include_authorized_operations=True, request_timeout=_ANSWER
    )
    found = []
    for name, answer in answers.items():
        try:
            allowed = allowed_by(await asyncio.wrap_future(answer))
        except KafkaException as raised:
            raise unavailable(f"group {name!r} can't be described", error_of(raised)) from raised
        if AclOperation.READ not in allowed:
            found.append(name)
    return sorted(found)
