"""Finds out which rights this user has; whatever it asks for is refused, or changes nothing.

What may be done with a topic the brokers say. Of groups and transactional ids that are not there yet they say nothing,
so they are asked for what cannot be done: a heartbeat of no member, the end of no transaction. Who lacks the right is
refused for that, by whichever broker, and all others for the other reason.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka.errors import GroupAuthorizationFailedError, TransactionalIdAuthorizationFailed
from aiokafka.errors import KafkaError as ClientError
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.transaction import EndTxnRequest
from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, ConfigResource, ResourceType

from farandole.engines.kafka.clients import Clients
from farandole.engines.kafka.failures import error_of, unavailable
from farandole.engines.kafka.granting import entry, granting
from farandole.engines.kafka.greeting import connection
from farandole.engines.kafka.names import Names
from farandole.engines.kafka.stranded import Administrator
from farandole.events.errors import LogUnavailable
from farandole.log.care import Finding, Right

_ANSWER = 10.0  # seconds
_NOBODY = "farandole-doctor"
_KINDS = ("topic", "group", "transactional-id")
Allowed = Mapping[str, set[str] | None]
"""By Kafka's name what may be done; None where there is no such topic."""


class Asker(NamedTuple):
    """Who asks: by its clients, an administrator's one among them, and one broker."""

    clients: Clients
    admin: Administrator
    names: Names
    server: str


async def lacking(asker: Asker, wanted: Sequence[Right]) -> list[Finding]:
    """Each of these rights that this user has not; one line that says so where it has all. Raises LogUnavailable.

    `wanted`: of topics and groups by their names, of transactional ids by what they begin with.
    """
    rights = _merged(wanted)
    outer = {kind: [entry(right, asker.names).name for right in rights if right.kind == kind] for kind in _KINDS}
    allowed: dict[str, Allowed] = {
        "topic": await _on_topics(asker.admin, outer["topic"]),
        **await _on_others(asker, outer["group"], outer["transactional-id"]),
    }
    found = [finding for right in rights if (finding := _judged(right, allowed[right.kind], asker)) is not None]
    return found or [
        Finding("rights", "ok", f"this user has each of the {len(rights)} rights that these services need")
    ]


def _merged(wanted: Iterable[Right]) -> list[Right]:
    """One a resource."""
    found: dict[Right, set[str]] = {}
    for right in wanted:
        found.setdefault(right._replace(operations=()), set()).update(right.operations)
    return [right._replace(operations=tuple(sorted(operations))) for right, operations in sorted(found.items())]


def _judged(right: Right, allowed: Allowed, asker: Asker) -> Finding | None:
    may = allowed[entry(right, asker.names).name]
    what = f"{right.kind} {right.name + '…' if right.prefixed else right.name!r}"
    if may is None:
        remedy = "farandole topics apply makes it, and a service that may; what may be done with it is not known before"
        return Finding("rights", "warn", f"{what} is not there", remedy)
    missing = tuple(operation for operation in right.operations if operation not in may)
    if not missing:
        return None
    principal = f"User:{asker.clients.security.user or '…'}"
    remedy = f"kafka-acls {granting(right._replace(operations=missing), asker.names, principal)}"
    return Finding("rights", "fail", f"{what}: this user may not {', '.join(missing)}", remedy)


async def _on_topics(admin: Administrator, names: Sequence[str]) -> Allowed:
    asked = TopicCollection(list(names))
    answers = (
        admin.client.describe_topics(asked, include_authorized_operations=True, request_timeout=_ANSWER)
        if names
        else {}
    )
    found: dict[str, set[str] | None] = {}
    hidden = []
    for name, answer in answers.items():
        try:
            found[name] = {operation.name for operation in allowed_by(await asyncio.wrap_future(answer))}
        except KafkaException as raised:
            code = error_of(raised).code()
            if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                hidden.append(name)
            elif code == KafkaError.UNKNOWN_TOPIC_OR_PART:
                found[name] = None
            else:
                raise unavailable(f"topic {name!r} can't be described", error_of(raised)) from raised
    return found | await _on_hidden(admin, hidden)


async def _on_hidden(admin: Administrator, names: Sequence[str]) -> dict[str, set[str]]:
    """Of topics that may not be described, so neither read nor written: whether their settings may."""
    resources = {name: ConfigResource(ResourceType.TOPIC, name) for name in names}
    answers = admin.client.describe_configs(list(resources.values()), request_timeout=_ANSWER) if names else {}
    found: dict[str, set[str]] = {}
    for name, resource in resources.items():
        try:
            await asyncio.wrap_future(answers[resource])
        except KafkaException as raised:
            if error_of(raised).code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise unavailable(f"the settings of topic {name!r} can't be read", error_of(raised)) from raised
            found[name] = set()
        else:
            found[name] = {"DESCRIBE_CONFIGS"}
    return found


async def _on_others(asker: Asker, groups: Sequence[str], prefixes: Sequence[str]) -> dict[str, Allowed]:
    try:
        async with connection(asker.clients, asker.server) as one:
            read = {name: await _may_read(one, name) for name in groups}
            write = {prefix: await _may_write(one, prefix) for prefix in prefixes}
    except (ClientError, OSError, EOFError) as error:
        raise LogUnavailable(f"{asker.server} does not answer: {error}; see to the brokers and the network") from error
    return {"group": read, "transactional-id": write}


async def _may_read(one: Any, group: str) -> set[str]:
    """Of a group."""
    answer = await one.send(HeartbeatRequest(group, -1, _NOBODY))
    return set() if answer.error_code == GroupAuthorizationFailedError.errno else {"READ", "DESCRIBE"}


async def _may_write(one: Any, prefix: str) -> set[str]:
    """Under a transactional id that begins so."""
    answer = await one.send(EndTxnRequest(prefix + _NOBODY, -1, -1, False))
    return set() if answer.error_code == TransactionalIdAuthorizationFailed.errno else {"WRITE", "DESCRIBE"}


def allowed_by(one: Any) -> set[AclOperation]:
    """What may be done; where the brokers do not say, anything."""
    said = set(one.authorized_operations or {AclOperation.ALL})
    return set(AclOperation) if AclOperation.ALL in said else said
