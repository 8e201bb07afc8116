"""How far each step is behind the log: what of its topics and of its inbox nobody has read for it yet."""

from collections import defaultdict
from collections.abc import Mapping

from farandole.events.topics import forwarder, inbox
from farandole.fold.topology import StepInfo, Topology
from farandole.log.ports import Lease, Log
from farandole.log.record import TopicPartition

Leases = Mapping[str, list[tuple[Lease, str]]]
"""Per group those in force, each with its holder, as the log tells them."""


async def lags(log: Log, topology: Topology, leases: Leases) -> dict[str, int]:
    """By step that exists, the offsets that it has yet to read; those of partitions that it never came to are all.

    What is re-keyed for it counts in its topic until that is done, then in its inbox. Raises LogError.
    """
    stands = {name: await _stands(log, info, leases) for name, info in topology.steps.items() if info.exists}
    spans = await log.spans(sorted({topic for by_topic in stands.values() for topic in by_topic}))
    ends = defaultdict[str, dict[TopicPartition, tuple[int, int]]](dict)
    for place, span in spans.items():
        ends[place[0]][place] = span.start, span.end
    return {
        name: sum(
            end - min(end, max(start, positions.get(place, start)))
            for topic, positions in by_topic.items()
            for place, (start, end) in ends[topic].items()
        )
        for name, by_topic in stands.items()
    }


async def _stands(log: Log, info: StepInfo, leases: Leases) -> dict[str, Mapping[TopicPartition, int]]:
    """By topic that is read for the step, the positions of the group that reads it."""
    own = await log.committed(info.name)
    stands: dict[str, Mapping[TopicPartition, int]] = {inbox(*info.name.split("/", 1)): own}
    for topic in sorted({topic for topic, _ in info.contract.consumed}):
        stands[topic] = own
        if not _leases(leases, info.name, topic):
            # Whether a step with one type leases its topic no manifest says; where nobody does, its forwarder's tell.
            group = forwarder(info.name, topic)
            forwarded = await log.committed(group)
            if forwarded or _leases(leases, group, topic) or _gathers(info):
                stands[topic] = forwarded
    return stands


def _gathers(info: StepInfo) -> bool:
    return info.contract.shape != "one" or len(info.contract.consumed) > 1


def _leases(leases: Leases, group: str, topic: str) -> bool:
    return any(lease.topic == topic for lease, _ in leases.get(group, ()))
