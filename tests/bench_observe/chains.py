"""Histories of chains of steps, written to a log as services would have written them, as long as one likes."""

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic_core import to_json

from farandole.events.codec import encode
from farandole.events.envelope import Envelope
from farandole.events.facts import FACTS, FACTS_VERSION
from farandole.events.ids import Derivation, Parent, content_id, workflow_id
from farandole.events.topics import JOURNAL, MANIFESTS
from farandole.log.partitioner import journal_partition
from farandole.log.ports import Log
from farandole.log.record import NewRecord, TopicSpec
from farandole.runtime.manifests import manifest_record
from libs.farandole.tests.unit.fold.declared import one, service, step, take

PARTITIONS = 4  # of the journal
WINDOW = 200  # workflows that go on side by side; a commit holds a window's facts of a step
INPUT = "t0"
_CLIENT = "client"

Facts = dict[int, list[dict[str, Any]]]
"""By partition of the journal."""


class Begun(NamedTuple):
    """A workflow under way."""

    workflow: str
    input: str  # its id, and its key
    number: int


async def prepare(log: Log, steps: int) -> None:
    """Topics, and the manifests of so many services of one step each."""
    await log.ensure(
        [TopicSpec(JOURNAL, PARTITIONS), TopicSpec(MANIFESTS, 1, compacted=True), TopicSpec(INPUT, PARTITIONS)]
    )
    declared = [
        service(
            f"s{n}",
            step("do", take("event", f"t{n}"), gives=(one(f"t{n + 1}"),)),
            accepts=(INPUT,) if n == 0 else (),
            final=(f"t{n + 1}",) if n == steps - 1 else (),
        )
        for n in range(steps)
    ]
    await log.append([manifest_record(manifest) for manifest in declared])


async def write(log: Log, numbers: range, steps: int) -> None:
    """Workflows of these numbers, each from its input to its end."""
    for first in range(numbers.start, numbers.stop, WINDOW):
        begun = await begin(log, range(first, min(first + WINDOW, numbers.stop)))
        for n in range(steps):
            await log.append(records(facts(begun, n)))


async def begin(log: Log, numbers: range) -> list[Begun]:
    """Publish their inputs."""
    ids = [f"{number:08x}" for number in numbers]
    inputs = [encode(Envelope(id, _CLIENT, INPUT, 1, b"{}", key=id)) for id in ids]
    await log.append([NewRecord(INPUT, made.value, made.key, made.headers) for made in inputs])
    return [Begun(workflow_id(_CLIENT, id), id, number) for id, number in zip(ids, numbers, strict=True)]


def facts(begun: Sequence[Begun], n: int) -> Facts:
    """What the step of this number says when it has handled its input in each."""
    shares: Facts = defaultdict(list)
    now = time.time()
    for one_begun in begun:
        shares[journal_partition(one_begun.workflow, PARTITIONS)].append(_fact(one_begun, n, now))
    return shares


def records(shares: Facts) -> list[NewRecord]:
    """As a service writes them."""
    found = []
    for partition, some in shares.items():
        data = to_json(some)
        made = encode(Envelope(content_id(data), "s/w", FACTS, FACTS_VERSION, data))
        found.append(NewRecord(JOURNAL, made.value, None, made.headers, partition))
    return found


def _fact(begun: Begun, n: int, now: float) -> dict[str, Any]:
    source, event = _CLIENT, begun.input
    for before in range(n):
        source, event = f"s{before}/do", Derivation((Parent(source, event),), f"s{before}/do").event(0)
    output = Derivation((Parent(source, event),), f"s{n}/do").event(0)
    return {
        "fact": "completed",
        "workflow": begun.workflow,
        "attempt": 1,
        "service": f"s{n}",
        "step": "do",
        "version": "1",
        "worker": f"host-{n}:1",
        "event": {"source": source, "id": event, "type": f"t{n}.v1", "time": now, "at": [f"t{n}", 0, begun.number]},
        "started": now,
        "finished": now + 0.01,
        "outputs": [{"slot": 0, "type": f"t{n + 1}.v1", "id": output, "key": begun.input}],
    }
