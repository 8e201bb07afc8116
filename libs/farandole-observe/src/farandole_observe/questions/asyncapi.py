"""The topology as an AsyncAPI 3.0 document: topics are channels, what steps take and publish are operations."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from farandole.events.envelope import ABSENT
from farandole.events.errors import NotFound
from farandole.events.manifest import Manifest, Published
from farandole.fold import Topology
from farandole.fold.topology import TypeVersion

Json = dict[str, Any]
VERSION = "3.0.0"
_KAFKA = "0.5.0"  # version of the bindings
_HEADERS = {
    "ce_specversion": {"type": "string", "enum": ["1.0"]},
    "content-type": {"type": "string", "enum": ["application/json"]},
    "ce_id": {"type": "string", "minLength": 1, "description": "unique together with ce_source"},
    "ce_source": {"type": "string", "minLength": 1, "description": "service/step, or who published it from outside"},
    "ce_correlationid": {"type": "string", "description": "the workflow; an input without one begins its own"},
    "ce_causationid": {"type": "string", "description": "the event that it came from"},
    "ce_scope": {"type": "string", "description": "the groups that it is a member of: group:index:size, by /"},
    "ce_generation": {"type": "string", "pattern": "^[0-9]{1,6}$"},
    "ce_time": {"type": "string", "format": "date-time"},
    "traceparent": {"type": "string", "description": "W3C Trace Context"},
}
_ABSENT: TypeVersion = (ABSENT, 1)


@dataclass(frozen=True, slots=True)
class Ground:
    """What a document tells beside the manifests. `url`: the log's. `partitions`: by topic. `schemas`: by type and
    version, as they were exported.
    """

    url: str = ""
    partitions: Mapping[str, int] = field(default_factory=dict)
    schemas: Mapping[TypeVersion, Json] = field(default_factory=dict)

    @property
    def brokers(self) -> list[str]:
        """host:port of each, where the log is Kafka's; without logins."""
        parts = urlsplit(self.url)
        return parts.netloc.rpartition("@")[2].split(",") if parts.scheme == "kafka" else []

    @property
    def prefix(self) -> str:
        """What Kafka's names of our topics begin with."""
        namespace = urlsplit(self.url).path.strip("/") if self.brokers else ""
        return f"{namespace}." if namespace else ""


def document(topology: Topology, manifests: Mapping[str, Manifest], ground: Ground, service: str | None = None) -> Json:
    """One document of all services, or of one: what it owns, takes and gives. Raises NotFound for an unknown one."""
    there = [m for m in manifests.values() if service in (None, m.service)]
    if service is not None and not there:
        known = ", ".join(sorted({m.service for m in manifests.values()})) or "none"
        raise NotFound(f"no service {service[:80]!r} has declared itself in this log; those that have: {known}")
    latest = max(there, key=lambda m: m.at, default=None)
    uses = [use for use in _uses(topology) if service in (None, use.service)]
    owned = {(p.type, p.version): p for m in sorted(manifests.values(), key=lambda m: m.at) for p in m.published}
    types = sorted({t for use in uses for t in use.types})
    brokers = {f"broker{n}": {"host": host, "protocol": "kafka"} for n, host in enumerate(ground.brokers)}
    return {
        "asyncapi": VERSION,
        "info": {
            "title": service or "farandole",
            "version": _version(latest, service),
            "description": f"{'Service' if service else 'Services'} of a choreography, as declared in its log.",
        },
        "defaultContentType": "application/json",
        **({"servers": brokers} if brokers else {}),
        "channels": {name: _channel(name, types, uses, ground) for name in sorted({name for name, _ in types})},
        "operations": {use.name: use.operation() for use in uses},
        "components": {"messages": dict(_messages(types, uses, owned, ground))},
    }


def _version(latest: Manifest | None, service: str | None) -> str:
    """The service's; of all together when they last declared something."""
    if latest is None:
        return "0"
    return latest.version if service else datetime.fromtimestamp(latest.at, UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class _Use:
    """What a step (or who publishes from outside) does with a topic."""

    service: str
    step: str
    action: str  # send or receive
    topic: str
    types: tuple[TypeVersion, ...]
    summary: str

    @property
    def name(self) -> str:
        return f"{self.step.replace('/', '.')}.{self.action}.{self.topic}"

    @property
    def absences(self) -> bool:
        """Whether what says that an event will not come may stand there too."""
        return self.action == "send"

    def operation(self) -> Json:
        told = (*self.types, *([_ABSENT] if self.absences else []))
        return {
            "action": self.action,
            "title": self.step,
            "summary": self.summary,
            "channel": {"$ref": f"#/channels/{self.topic}"},
            "messages": [{"$ref": f"#/channels/{self.topic}/messages/{_wire(t)}"} for t in told],
        }


def _uses(topology: Topology) -> Iterator[_Use]:
    for name, info in sorted(topology.steps.items()):
        if not info.exists:
            continue
        service = name.partition("/")[0]
        taken = _with_lists((one, port.many) for port in info.contract.inputs for one in port.types)
        for topic, types in _by_topic(taken):
            gathers = any(taken[one] for one in types)
            said = "gathers every member of a group" if gathers else "takes each"
            yield _Use(service, name, "receive", topic, types, said)
        given = _with_lists((one, slot.many) for slot in info.contract.outputs for one in slot.types)
        for topic, types in _by_topic(given):
            spreads = any(given[one] for one in types)
            yield _Use(service, name, "send", topic, types, "publishes a group of them" if spreads else "publishes it")


def _with_lists(declared: Iterable[tuple[TypeVersion, bool]]) -> dict[TypeVersion, bool]:
    """Each type once, and whether it stands in a list anywhere."""
    found: dict[TypeVersion, bool] = {}
    for one, many in declared:
        found[one] = found.get(one, False) or many
    return found


def _by_topic(types: Collection[TypeVersion]) -> list[tuple[str, tuple[TypeVersion, ...]]]:
    names = sorted({name for name, _ in types})
    return [(name, tuple(sorted(t for t in types if t[0] == name))) for name in names]


def _channel(topic: str, types: Sequence[TypeVersion], uses: Sequence[_Use], ground: Ground) -> Json:
    absences = [_ABSENT] if any(use.topic == topic and use.absences for use in uses) else []
    there = [*(one for one in types if one[0] == topic), *absences]
    binding: Json = {"topic": f"{ground.prefix}{topic}", "bindingVersion": _KAFKA}
    if topic in ground.partitions:
        binding["partitions"] = ground.partitions[topic]
    return {
        "address": f"{ground.prefix}{topic}",
        "messages": {_wire(one): {"$ref": f"#/components/messages/{_wire(one)}"} for one in there},
        "bindings": {"kafka": binding},
    }


def _messages(
    types: Sequence[TypeVersion], uses: Sequence[_Use], owned: Mapping[TypeVersion, Published], ground: Ground
) -> Iterator[tuple[str, Json]]:
    for one in types:
        declared, schema = owned.get(one), ground.schemas.get(one)
        unknown = {"type": "object", "description": "no exported schema of it is at hand"}
        yield _wire(one), _message(one, declared, payload(schema) if schema is not None else unknown)
    if any(use.absences for use in uses):
        said = {"type": "object", "description": "that a member of a group will not come, and in place of what type"}
        yield _wire(_ABSENT), _message(_ABSENT, None, said)


def _message(one: TypeVersion, declared: Published | None, schema: Json) -> Json:
    headers = _HEADERS | {"ce_type": {"type": "string", "enum": [_wire(one)]}}
    key = declared.key if declared is not None else None
    said = "the record's key" if key is None else f"the field {key}"
    return {
        "name": _wire(one),
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "properties": headers,
            "required": ["ce_specversion", "ce_id", "ce_source", "ce_type"],
        },
        "payload": schema,
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "bindings": {"kafka": {"key": {"type": "string", "description": said}, "bindingVersion": _KAFKA}},
        **({"summary": "final: meant to have no consumer"} if declared is not None and declared.final else {}),
    }


def payload(schema: Json) -> Json:
    """An exported schema (JSON Schema 2020-12, in our normal form) in AsyncAPI's own words, which are draft 7's."""
    return {name: _said(name, value) for name, value in _draft_7(schema).items() if name not in _DROPPED}


_DROPPED = ("$schema", "$id", "x-farandole")


def _draft_7(schema: Json) -> Json:
    """A tuple is `items` with a list there."""
    if "prefixItems" not in schema:
        return schema
    rest = {name: value for name, value in schema.items() if name not in ("prefixItems", "items")}
    further = {"additionalItems": schema["items"]} if "items" in schema else {}
    return rest | {"items": schema["prefixItems"]} | further


def _said(name: str, value: Any) -> Any:
    if name == "properties" and isinstance(value, dict):
        return {field: payload(one) for field, one in value.items()}
    if name in ("items", "additionalItems", "additionalProperties", "propertyNames") and isinstance(value, dict):
        return payload(value)
    if name in ("items", "anyOf") and isinstance(value, list):
        return [payload(one) for one in value]
    return value


def _wire(one: TypeVersion) -> str:
    return f"{one[0]}.v{one[1]}"
