"""The topics that a service stands on, as its declaration asks for them; nothing here makes one."""

from collections.abc import Collection, Iterable, Mapping

from farandole.events import topics
from farandole.log.care import Kind
from farandole.log.record import TopicSpec
from farandole.runtime.declare import AnyStep, Service


def domain_topics(service: Service) -> set[str]:
    """The topics of the events that it takes, gives, or owns."""
    signatures = [step.signature for step in service.steps.values()]
    events = {t.event_type.name for s in signatures for t in (*s.consumed, *s.published)}
    return events | {t.event_type.name for t in service.accepts}


def ground(service: Service, there: Mapping[str, int], default: int) -> list[TopicSpec]:
    """All its topics. `there`: partitions of those that exist, which stay as they are; `default`: of the others.

    Inbox and state of a step have as many as the topic that it leases: they are leased by number.
    """
    counts = {name: there.get(name, default) for name in sorted(domain_topics(service))}
    specs = [
        TopicSpec(topics.JOURNAL, there.get(topics.JOURNAL, default)),
        TopicSpec(topics.MANIFESTS, 1, compacted=True),
        TopicSpec(topics.CONTROL, 1, compacted=True),
        TopicSpec(topics.dead_letters(service.name), 1),
        *(TopicSpec(name, count) for name, count in counts.items()),
    ]
    for step in service.steps.values():
        specs += _of_step(step, counts, there.get(topics.inbox(step.service, step.name), default))
    return specs


def ground_of_all(services: Iterable[Service], there: Mapping[str, int], default: int) -> list[TopicSpec]:
    """The topics of several services, each once, as if they started one after the other."""
    specs: dict[str, TopicSpec] = {}
    for service in services:
        known = {**there, **{spec.name: spec.partitions for spec in specs.values()}}
        specs |= {spec.name: spec for spec in ground(service, known, default)}
    return list(specs.values())


def kinds(names: Collection[str]) -> dict[str, Kind]:
    """What topics are for, by their names. A state is told from an event of such a name by the inbox beside it."""
    return {name: _kind(name, names) for name in names}


def _kind(name: str, names: Collection[str]) -> Kind:
    stem, _, last = name.rpartition(".")
    of_step = stem.count(".") == 1 and last in ("inbox", "state")
    if name in (topics.MANIFESTS, topics.CONTROL) or (of_step and last == "state" and f"{stem}.inbox" in names):
        return "compacted"
    if name == topics.JOURNAL or (of_step and last == "inbox" and f"{stem}.state" in names):
        return "kept"
    return "kept" if last == "dlq" and "." not in stem else "domain"


def _of_step(step: AnyStep, counts: Mapping[str, int], own: int) -> list[TopicSpec]:
    count = own if step.fed_by_inbox else counts[step.signature.topics[0]]
    inbox, state = topics.inbox(step.service, step.name), topics.state(step.service, step.name)
    return [TopicSpec(inbox, count), TopicSpec(state, count, compacted=True)]
