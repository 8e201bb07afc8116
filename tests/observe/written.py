"""Histories of the fold's model, written to a log as services would have written them."""

import random
from collections.abc import Iterator, Sequence

from pydantic_core import to_json

from farandole.events.codec import encode
from farandole.events.envelope import Envelope
from farandole.events.facts import FACTS, FACTS_VERSION
from farandole.events.ids import content_id
from farandole.events.topics import JOURNAL, MANIFESTS
from farandole.fold import Fold
from farandole.log.partitioner import journal_partition
from farandole.log.ports import Log
from farandole.log.record import NewRecord, TopicSpec
from farandole.runtime.manifests import manifest_record
from libs.farandole.tests.unit.fold.choreographies import NESTED, flaky, operate
from libs.farandole.tests.unit.fold.dance import Dance

PARTITIONS = 3  # of the journal


def played(seed: int, *, workflows: int = 4) -> Dance:
    """Some workflows side by side, with what luck brings; some of their dead letters are left lying."""
    dance = flaky(*NESTED, seed=seed)
    for n in range(workflows):
        dance.publish("job.given", f"j{seed}.{n}", key=f"k{n}")
    operate(dance, rounds=3)
    dance.publish("job.given", f"j{seed}.last", key="last")
    dance.settle(30)
    return dance


def lines_of(dance: Dance) -> list[list[NewRecord]]:
    """The records whose order counts: the manifests', each input, the facts of each workflow."""
    lines = [[manifest_record(manifest) for manifest in dance.services]]
    for envelope, place, _ in dance.inputs:
        key, value, headers = encode(envelope)
        lines.append([NewRecord(place[0], value, key, headers)])
    return lines + [list(_journal(dance, workflow)) for workflow in sorted(dance.facts)]


def _journal(dance: Dance, workflow: str) -> Iterator[NewRecord]:
    rest, number = dance.facts[workflow], journal_partition(workflow, PARTITIONS)
    while rest:
        cut = dance.rng.randint(1, 5)
        data, rest = to_json(rest[:cut]), rest[cut:]
        parts = encode(Envelope(content_id(data), "test/writer", FACTS, FACTS_VERSION, data))
        yield NewRecord(JOURNAL, parts.value, None, parts.headers, number)


def shuffled(lines: Sequence[Sequence[NewRecord]], seed: int) -> list[NewRecord]:
    """All of them, each line in its order, interleaved at random."""
    rng, left = random.Random(seed), [list(line) for line in lines if line]
    found: list[NewRecord] = []
    while left:
        line = rng.choice(left)
        found.append(line.pop(0))
        left = [rest for rest in left if rest]
    return found


async def make_topics(log: Log, records: Sequence[NewRecord]) -> None:
    """The topics that these records need."""
    inputs = {record.topic for record in records} - {JOURNAL, MANIFESTS}
    await log.ensure(
        [
            TopicSpec(JOURNAL, PARTITIONS),
            TopicSpec(MANIFESTS, 1, compacted=True),
            *(TopicSpec(topic, 2) for topic in sorted(inputs)),
        ]
    )


def folded(dance: Dance) -> Fold:
    """What the fold itself makes of it."""
    return dance.fold()
