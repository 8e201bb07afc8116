"""What looking after a log speaks of: the topics that are wanted, what differs from them, and what is wrong."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from farandole.events.topics import BEGINNINGS, PROOFS
from farandole.log.record import TopicSpec

ENGINE_TOPICS = (TopicSpec(BEGINNINGS, 1, compacted=True), TopicSpec(PROOFS, 1, compacted=True))
"""What the Kafka engine keeps for itself; made with the others, where services may make none."""


Resource = Literal["topic", "group", "transactional-id"]


class Right(NamedTuple):
    """Operations on one resource, or, where `prefixed`, on all whose name begins so; spelled as Kafka does.

    `name`: without the log's namespace; "" and `prefixed` is everything of the namespace.
    """

    kind: Resource
    name: str
    prefixed: bool
    operations: tuple[str, ...]


class Wish(NamedTuple):
    """The topics that should be there, by specification; `domain`: the names of those that hold users' events.

    `replication`: copies of what is made, None: the cluster's own number. `retention`: seconds that domain topics
    keep their records, None: for ever.
    """

    specs: Sequence[TopicSpec]
    domain: Collection[str] = frozenset()
    replication: int | None = None
    retention: float | None = None


class Change(NamedTuple):
    """One difference. `action`: "create" a topic, "set" a setting, or "by-hand": never done, for it could lose records.

    `setting`: its name, "" for a topic that is missing; `there` and `wanted` as text; `there` is "" where nothing is.
    """

    topic: str
    action: Literal["create", "set", "by-hand"]
    setting: str
    there: str
    wanted: str


Kind = Literal["domain", "kept", "compacted"]
"""What a topic is for: users' events; what the library keeps whole; or the latest of each key, such as states."""
Kinds = Callable[[Collection[str]], Mapping[str, Kind]]
"""Tells what the topics of a log are for, by their names."""

Verdict = Literal["ok", "warn", "fail"]


class Finding(NamedTuple):
    """What a doctor found of one thing: what is so, and what to do about it where it is not well."""

    check: str
    verdict: Verdict
    said: str
    remedy: str = ""


class Keeper(Protocol):
    """Makes a log's topics be as they are wanted."""

    async def topics(self) -> list[TopicSpec]:
        """Those that are there."""
        ...

    async def compare(self, wish: Wish) -> list[Change]:
        """What differs, by topic; nothing is changed. Raises BadInput for a wish that this log cannot grant."""
        ...

    async def apply(self, wish: Wish, changes: Sequence[Change]) -> None:
        """Do what `compare` found, except what is to be done by hand. Can be repeated. Raises LogUnavailable."""
        ...

    async def close(self) -> None:
        """Give back what it holds."""
        ...


def changes_of_shape(specs: Sequence[TopicSpec], there: Sequence[TopicSpec]) -> list[Change]:
    """What is missing, and what has another shape."""
    found = {spec.name: spec for spec in there}
    changes = []
    for spec in sorted(specs):
        if spec.name not in found:
            changes.append(Change(spec.name, "create", "", "", described(spec)))
        elif found[spec.name] != spec:
            changes.append(Change(spec.name, "by-hand", "shape", described(found[spec.name]), described(spec)))
    return changes


def described(spec: TopicSpec) -> str:
    """For people."""
    return f"{spec.partitions} partition{'s'[: spec.partitions != 1]}, {'compacted' if spec.compacted else 'all kept'}"
