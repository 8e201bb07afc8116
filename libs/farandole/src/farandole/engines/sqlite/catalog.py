"""The topics of the log, as this handle last read them; topics are never changed or removed, so it only grows."""

from typing import NamedTuple

import apsw

from farandole.engines.sqlite.database import rows, scalar
from farandole.engines.sqlite.schema import position_id
from farandole.events.errors import ConfigError
from farandole.log.record import TopicPartition, TopicSpec


class Topic(NamedTuple):
    """A topic and where it lies: `first` is the tp of its partition 0."""

    id: int
    name: str
    partitions: int
    compacted: bool
    first: int

    def tp(self, partition: int) -> int:
        """The number that this partition has in the log."""
        return self.first + partition

    @property
    def spec(self) -> TopicSpec:
        """The topic's shape."""
        return TopicSpec(self.name, self.partitions, self.compacted)


class Catalog:
    """Topics by name; whatever is not known is looked up again. May raise apsw.BusyError."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._topics: dict[str, Topic] = {}
        self._places: dict[int, TopicPartition] = {}

    def find(self, name: str) -> Topic | None:
        """The topic of this name, if it exists."""
        if name not in self._topics:
            self._reload()
        return self._topics.get(name)

    def get(self, name: str) -> Topic:
        """The topic of this name. Raises ConfigError where it does not exist."""
        topic = self.find(name)
        if topic is None:
            raise ConfigError(f"topic {name!r} does not exist; create it with `ensure`")
        return topic

    def known(self, name: str) -> Topic | None:
        """The topic, as far as it was read before; reads nothing, so any thread may ask."""
        return self._topics.get(name)

    def place(self, tp: int) -> TopicPartition:
        """Topic and partition of a number."""
        if tp not in self._places:
            self._reload()
        return self._places[tp]

    def all(self) -> list[Topic]:
        """Every topic, by name."""
        self._reload()
        return [self._topics[name] for name in sorted(self._topics)]

    def _reload(self) -> None:
        for topic in read_topics(self._db):
            if topic.name not in self._topics:
                self._places.update((topic.tp(n), (topic.name, n)) for n in range(topic.partitions))
                self._topics[topic.name] = topic


def read_topics(db: apsw.Connection) -> list[Topic]:
    """Every topic, in the order of creation."""
    found = rows(db, "SELECT id, name, partitions, compacted, first FROM topic ORDER BY id")
    return [Topic(id, name, partitions, bool(compacted), first) for id, name, partitions, compacted, first in found]


def create_topics(db: apsw.Connection, wanted: list[TopicSpec], now: int) -> bool:
    """Within a transaction: create what does not exist, all or nothing; whether something was. Raises ConfigError."""
    there = {topic.name: topic.spec for topic in read_topics(db)}
    missing: dict[str, TopicSpec] = {}
    for spec in wanted:
        check_shape(spec, there.get(spec.name) or missing.setdefault(spec.name, spec))
    first = scalar(db, "SELECT coalesce(max(first + partitions), 1) FROM topic")
    for spec in missing.values():
        db.execute(
            "INSERT INTO topic (name, partitions, compacted, first) VALUES (?, ?, ?, ?)",
            (spec.name, spec.partitions, spec.compacted, first),
        )
        db.executemany(
            "INSERT INTO position VALUES (?, 0, ?)",
            [(position_id(0, tp), now) for tp in range(first, first + spec.partitions)],
        )
        first += spec.partitions
    return bool(missing)


def check_shape(wanted: TopicSpec, there: TopicSpec) -> None:
    """Raise ConfigError where a topic is wanted in another shape than it has, or in none that can be."""
    if wanted.partitions < 1:
        raise ConfigError(f"topic {wanted.name!r}: {wanted.partitions} partitions; it needs at least one")
    if wanted != there:
        raise ConfigError(f"topic {wanted.name!r} exists as {_shape(there)}, not as {_shape(wanted)}; "
                          "declare it as it is, or use another topic")  # fmt: skip


def _shape(spec: TopicSpec) -> str:
    return f"{spec.partitions} partitions{', compacted' if spec.compacted else ''}"
