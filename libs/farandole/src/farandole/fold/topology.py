"""`Topology`: who takes and who publishes what, and since when; nothing but the manifests together."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from math import inf

from farandole.events.manifest import InPort, Interval, Manifest, Published, StepManifest

TypeVersion = tuple[str, int]
"""An event type's name and version."""

ALWAYS = (Interval(),)


@dataclass(frozen=True, slots=True)
class StepInfo:
    """A step as its service's versions declare it.

    `contract`: of the latest version that has it, but for its settings. `topics`: per topic the merged intervals in
    which it subscribed. `exists`: it subscribes still; where not, what it owes will not move by itself.
    """

    name: str  # service/step
    contract: StepManifest
    topics: Mapping[str, tuple[Interval, ...]]
    exists: bool

    def port(self, taken: TypeVersion) -> tuple[int, InPort] | None:
        """The parameter that takes this type, with its index."""
        return next(((n, p) for n, p in enumerate(self.contract.inputs) if taken in p.types), None)


@dataclass(frozen=True, slots=True)
class Topology:
    """Steps by `service/step`; what flows between those that exist, by (type, version).

    `accepted` and `final` hold what any version of any service declares so; `published` is what services own.
    """

    steps: Mapping[str, StepInfo]
    published: Mapping[TypeVersion, tuple[str, ...]]  # services
    accepted: frozenset[TypeVersion]
    final: frozenset[TypeVersion]
    producers: Mapping[TypeVersion, tuple[str, ...]]
    consumers: Mapping[TypeVersion, tuple[str, ...]]
    subscribers: Mapping[str, tuple[tuple[str, tuple[Interval, ...]], ...]]
    since_ever: Mapping[str, tuple[str, ...]]  # topics that no subscriber joined late or left: the fast path

    @classmethod
    def of(cls, manifests: Iterable[Manifest]) -> "Topology":
        """The topology that these manifests, one per service and version, amount to; their order is nothing."""
        services: dict[str, list[Manifest]] = defaultdict(list)
        for manifest in manifests:
            services[manifest.service].append(manifest)
        for versions in services.values():
            versions.sort(key=lambda m: (m.at, m.version))
        infos = chain.from_iterable(_steps(name, services[name]) for name in sorted(services))
        steps = {info.name: info for info in infos}
        declared = [(name, p) for name in sorted(services) for m in services[name] for p in m.published]
        existing = [info for info in steps.values() if info.exists]
        subscribers = _subscribers(steps.values())
        return cls(
            steps=steps,
            published=_gathered((_type_of(p), name) for name, p in declared),
            accepted=frozenset(_type_of(p) for _, p in declared if p.accepted),
            final=frozenset(_type_of(p) for _, p in declared if p.final),
            producers=_gathered((taken, i.name) for i in existing for s in i.contract.outputs for taken in s.types),
            consumers=_gathered((taken, i.name) for i in existing for taken in sorted(i.contract.consumed)),
            subscribers=subscribers,
            since_ever={
                topic: tuple(name for name, _ in entries)
                for topic, entries in subscribers.items()
                if all(intervals == ALWAYS for _, intervals in entries)
            },
        )

    @property
    def sources(self) -> frozenset[str]:
        """Every `ce_source` that a manifest names; an event from elsewhere is an input."""
        return frozenset(self.steps)

    @property
    def accepted_topics(self) -> frozenset[str]:
        """Where inputs are published."""
        return frozenset(name for name, _ in self.accepted)

    def owed_by(self, topic: str, time: float) -> tuple[str, ...]:
        """The steps that owe an outcome to whatever was published in `topic` at `time` (seconds).

        By topic, not by version: a step dead-letters a version that it does not know, and that is an outcome.
        """
        fast = self.since_ever.get(topic)
        if fast is not None:
            return fast
        entries = self.subscribers.get(topic, ())
        return tuple(name for name, intervals in entries if any(_since(i) <= time < _until(i) for i in intervals))

    def exists(self, step: str) -> bool:
        """Whether some version of its service still has this step."""
        info = self.steps.get(step)
        return info is not None and info.exists


def merged(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same times in as few intervals as will do, in order."""
    result: list[Interval] = []
    for interval in sorted(intervals, key=_since):
        if not result or _since(interval) > _until(result[-1]):
            result.append(interval)
        elif _until(interval) > _until(result[-1]):
            result[-1] = Interval(since=result[-1].since, until=interval.until)
    return tuple(result)


def closed(intervals: Iterable[Interval], at: float) -> list[Interval]:
    """What is left of the intervals when all end at `at` at the latest."""
    return [Interval(since=i.since, until=min(_until(i), at)) for i in intervals if _since(i) < at]


def _steps(service: str, versions: list[Manifest]) -> Iterator[StepInfo]:
    names = sorted({step.name for manifest in versions for step in manifest.steps})
    for name in names:
        having = [(m.at, next((s for s in m.steps if s.name == name), None)) for m in versions]
        declared = next(step for _, step in reversed(having) if step is not None)
        contract = declared.model_copy(update={"configured": None})  # settings change who takes what as little as time
        topics = {topic: _intervals(topic, having) for topic in _topics(having)}
        exists = any(intervals[-1].until is None for intervals in topics.values() if intervals)
        yield StepInfo(f"{service}/{name}", contract, topics, exists)


def _topics(having: list[tuple[float, StepManifest | None]]) -> list[str]:
    return sorted({topic for _, step in having if step is not None for topic, _ in step.consumed})


def _intervals(topic: str, having: list[tuple[float, StepManifest | None]]) -> tuple[Interval, ...]:
    """Each version's own, the open ones closed where a later version takes nothing from the topic any more."""
    intervals: list[Interval] = []
    for at, step in having:
        if step is not None and any(topic == name for name, _ in step.consumed):
            intervals.extend(step.intervals)
        else:
            intervals = closed(intervals, at)
    return merged(intervals)


def _subscribers(steps: Iterable[StepInfo]) -> dict[str, tuple[tuple[str, tuple[Interval, ...]], ...]]:
    found: dict[str, list[tuple[str, tuple[Interval, ...]]]] = defaultdict(list)
    for info in steps:
        for topic, intervals in info.topics.items():
            if intervals:
                found[topic].append((info.name, intervals))
    return {topic: tuple(sorted(entries, key=lambda e: e[0])) for topic, entries in found.items()}


def _gathered(pairs: Iterable[tuple[TypeVersion, str]]) -> dict[TypeVersion, tuple[str, ...]]:
    found: dict[TypeVersion, dict[str, None]] = defaultdict(dict)
    for key, name in pairs:
        found[key][name] = None
    return {key: tuple(names) for key, names in found.items()}


def _type_of(published: Published) -> TypeVersion:
    return published.type, published.version


def _since(interval: Interval) -> float:
    return -inf if interval.since is None else interval.since


def _until(interval: Interval) -> float:
    return inf if interval.until is None else interval.until
