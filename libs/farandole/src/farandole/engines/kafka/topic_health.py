"""Judges topics by what the brokers say of them; it asks nobody."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from farandole.log.care import Finding, Kind

_APPLY = "farandole topics apply mends it"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is. `copies` and `in_sync`: of the partition that has fewest; `leaderless`: partitions' numbers."""

    name: str
    kind: Kind
    partitions: int
    copies: int = 1
    in_sync: int = 1
    leaderless: Sequence[int] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


def topic_findings(topics: Iterable[Topic]) -> list[Finding]:
    """What is not well with topics' settings and copies; one line that says so where all is."""
    known = list(topics)
    found = [finding for topic in known for finding in (*_kept(topic), *_copies(topic))]
    single = [topic.name for topic in known if topic.copies == 1]
    if single:
        said = f"{len(single)} of {len(known)} topics have one copy, such as {single[0]!r}: a broker's loss loses them"
        remedy = "kafka-reassign-partitions; make new ones with farandole topics apply --replication 3"
        found.append(Finding("copies", "warn", said, remedy))
    return found or [Finding("topics", "ok", f"{len(known)} topics are set as they have to be")]


def partition_findings(sets: Mapping[str, Sequence[Topic]]) -> list[Finding]:
    """Whether the topics that a group leases by number have as many partitions. `sets`: by group."""
    found = []
    for group, topics in sorted(sets.items()):
        if len({topic.partitions for topic in topics}) > 1:
            said = ", ".join(f"{topic.name} {topic.partitions}" for topic in topics)
            remedy = "they are leased by number: make the odd one anew with as many as the topic that is taken from"
            found.append(Finding("partitions", "fail", f"{group}: {said}", remedy))
    return found or [Finding("partitions", "ok", f"{len(sets)} groups have topics of equal partitions")]


def _kept(topic: Topic) -> Iterator[Finding]:
    """Nothing goes that somebody may still need, and time does not fall."""
    policy = set(topic.settings.get("cleanup.policy", "").replace(" ", "").split(","))
    wanted = {"compact"} if topic.kind == "compacted" else {"delete"}
    if policy != wanted:
        said = f"topic {topic.name!r}: cleanup.policy is {','.join(sorted(policy))}, not {wanted.pop()}: records go"
        yield Finding("cleanup.policy", "fail", said, f"{_APPLY}, or set it by hand before more is lost")
    for name in ("retention.ms", "retention.bytes"):
        limit = topic.settings.get(name, "-1")
        if topic.kind != "compacted" and limit != "-1":
            said = f"topic {topic.name!r}: {name} is {limit}: what is older is deleted, read or not"
            if topic.kind == "domain":
                yield Finding("retention", "warn", said, "see that it is well above your longest stop")
            else:
                yield Finding("retention", "fail", said, f"{_APPLY} ({name}=-1)")
    if topic.settings.get("message.timestamp.type") != "LogAppendTime":
        said = f"topic {topic.name!r}: time is what producers say, and may fall"
        yield Finding("message.timestamp.type", "warn", said, _APPLY)
    if topic.settings.get("unclean.leader.election.enable") == "true":
        said = f"topic {topic.name!r}: a broker that is behind may lead it, and what was acknowledged is lost"
        yield Finding("unclean.leader.election.enable", "fail", said, "set it to false")


def _copies(topic: Topic) -> Iterator[Finding]:
    needed = int(topic.settings.get("min.insync.replicas") or 1)
    if topic.leaderless:
        said = f"topic {topic.name!r}: partitions {list(topic.leaderless)} have no leader"
        yield Finding("copies", "fail", said, "bring back the brokers that hold them")
    elif topic.in_sync < needed:
        said = f"topic {topic.name!r}: {topic.in_sync} copies in sync, and {needed} needed: it takes no records"
        yield Finding("copies", "fail", said, "bring back the brokers that hold the others")
    elif topic.in_sync < topic.copies:
        said = f"topic {topic.name!r}: {topic.in_sync} of {topic.copies} copies are in sync"
        yield Finding("copies", "warn", said, "see to the brokers that are behind or away")
    if topic.copies > 1 and needed >= topic.copies:
        said = f"topic {topic.name!r}: min.insync.replicas is {needed} of {topic.copies}: one broker away stops it"
        yield Finding("min.insync.replicas", "warn", said, f"set it to {topic.copies - 1}")
    elif topic.copies > 1 and needed == 1:
        said = f"topic {topic.name!r}: min.insync.replicas is 1: what is acknowledged may lie on one disk only"
        yield Finding("min.insync.replicas", "warn", said, "set it to 2")
