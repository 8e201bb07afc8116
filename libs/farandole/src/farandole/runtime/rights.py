"""What a service may do on a cluster that asks: the least by which it works, from its declaration alone.

Operations are Kafka's. What another one implies is not named: READ, WRITE and ALTER imply DESCRIBE, ALTER_CONFIGS
implies DESCRIBE_CONFIGS. Nobody needs a right on the cluster.
"""

from collections.abc import Iterable

from farandole.events import topics
from farandole.log.care import Resource, Right
from farandole.runtime.declare import AnyStep, Service
from farandole.runtime.ground import domain_topics

__all__ = ["Right", "rights", "rights_of_administrator", "rights_of_observer"]

_LOOK = frozenset({"DESCRIBE", "DESCRIBE_CONFIGS"})
"""What every topic of the service's ground is asked for: whether it is there, and of the right shape."""
_IMPLYING = frozenset({"READ", "WRITE"})


def rights(service: Service) -> list[Right]:
    """All that it needs, one a resource, sorted. Its topics are made by somebody else, so it creates none."""
    found: dict[tuple[Resource, str], set[str]] = {("topic", name): set(_LOOK) for name in _ground(service)}
    for kind, name, operation in _done(service):
        found.setdefault((kind, name), set()).add(operation)
    return [
        Right(kind, name, kind == "transactional-id", _least(operations))
        for (kind, name), operations in sorted(found.items())
    ]


def rights_of_observer() -> list[Right]:
    """Of a projector, of `farandole status` and the other questions: they read whatever is there, and join no group."""
    return [Right("group", "", True, ("DESCRIBE",)), Right("topic", "", True, ("DESCRIBE_CONFIGS", "READ"))]


def rights_of_administrator() -> list[Right]:
    """Of `farandole topics apply`: it makes topics and mends their settings, and reads no record."""
    return [Right("topic", "", True, ("ALTER_CONFIGS", "CREATE", "DESCRIBE"))]


def _ground(service: Service) -> set[str]:
    """The topics that it looks for when it starts."""
    own = {of(step.service, step.name) for step in service.steps.values() for of in (topics.inbox, topics.state)}
    system = {topics.JOURNAL, topics.MANIFESTS, topics.CONTROL, topics.dead_letters(service.name)}
    return domain_topics(service) | own | system


def _done(service: Service) -> Iterable[tuple[Resource, str, str]]:
    """What it does to which resource."""
    yield "topic", topics.MANIFESTS, "READ"
    yield "topic", topics.MANIFESTS, "WRITE"
    yield "topic", topics.JOURNAL, "WRITE"
    yield "topic", topics.dead_letters(service.name), "WRITE"
    yield "topic", topics.BEGINNINGS, "READ"
    yield "topic", topics.BEGINNINGS, "WRITE"
    yield "topic", topics.PROOFS, "READ"  # positions are committed there, and no record is ever written
    yield "transactional-id", topics.own(service.name), "WRITE"
    for step in service.steps.values():
        yield from _done_by(step)


def _done_by(step: AnyStep) -> Iterable[tuple[Resource, str, str]]:
    inbox, state = topics.inbox(step.service, step.name), topics.state(step.service, step.name)
    taken = sorted({event.event_type.name for event in step.signature.consumed})
    yield "group", step.producer, "READ"
    for name in (*taken, inbox, state):
        yield "topic", name, "READ"
    yield "topic", state, "WRITE"
    for event in step.signature.published:  # absences too: each goes where an event could have gone
        yield "topic", event.event_type.name, "WRITE"
    if step.fed_by_inbox:
        yield "topic", inbox, "WRITE"
        for name in taken:
            yield "group", topics.forwarder(step.producer, name), "READ"


def _least(operations: set[str]) -> tuple[str, ...]:
    implied = {"DESCRIBE"} if operations & _IMPLYING else set()
    return tuple(sorted(operations - implied))
