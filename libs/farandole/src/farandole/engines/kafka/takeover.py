"""Taking over partitions: end what the predecessor left open, fence it, and find where to go on.

In this order: whose transaction may be open (from the notes), end it, the stable positions, the own note. After it
nothing of a predecessor can be committed any more.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from confluent_kafka.admin import OffsetSpec

from farandole.engines.kafka.astray import ends_before
from farandole.engines.kafka.beginnings import Beginnings
from farandole.engines.kafka.hold import Claim, Hold
from farandole.engines.kafka.names import Names
from farandole.engines.kafka.note import Note
from farandole.engines.kafka.offsets import Place, listed
from farandole.engines.kafka.positions import Position, Positions
from farandole.engines.kafka.stranded import Administrator
from farandole.events.topics import PROOFS
from farandole.log.ports import Interest, Lease
from farandole.log.pruning import gone_handled, gone_unhandled
from farandole.log.record import Place as At


class Scene(NamedTuple):
    """What a take-over looks at."""

    admin: Administrator
    names: Names
    interest: Interest
    positions: Positions

    @property
    def group(self) -> str:
        """Kafka's name of the group."""
        return self.names.outer(self.interest.group)

    @property
    def proof(self) -> str:
        """Kafka's name of the topic in which the group proves what it reads."""
        return self.names.outer(PROOFS)

    @property
    def leased(self) -> str:
        """Kafka's name of the leased topic."""
        return self.names.outer(self.interest.topic)


async def predecessors(scene: Scene, numbers: Sequence[int]) -> set[str]:
    """Transactional ids of those who held these partitions and did not let go."""
    places = [(scene.leased, number) for number in numbers]
    found = await scene.positions.of(places, stable=False)
    return {position.note.id for position in found.values()} - {""}


async def holds(
    scene: Scene, claims: Mapping[int, Claim], beginnings: Beginnings, proof: Callable[[], Awaitable[Position]]
) -> list[Hold]:
    """Where to go on in each. Raises LogError where what is owed, or by whom, is no longer known."""
    interest, names, numbers = scene.interest, scene.names, list(claims)
    topics = [interest.topic, *([interest.inbox] if interest.inbox else [])]
    places = [(names.outer(topic), number) for topic in topics for number in numbers]
    found = await scene.positions.proven(places, proof)
    fresh = [number for number in numbers if (scene.leased, number) not in found]
    if fresh:
        await beginnings.check(interest.group, interest.topic, fresh)
    first = await listed(scene.admin, places, OffsetSpec.earliest())
    last = await listed(scene.admin, places, OffsetSpec.latest())
    await _reached(scene, {place: p.offset for place, p in found.items() if p.offset > last.get(place, p.offset)})
    made = []
    for number in numbers:
        note = _note(found.get((scene.leased, number)))
        start = {topic: _start(scene, topic, number, found, first, last) for topic in topics}
        begun = {topic for topic in topics if (names.outer(topic), number) in found}
        if interest.start == "now":
            begun.add(interest.topic)
        elif not note.begun:
            begun.discard(interest.topic)
        lease = Lease(interest.group, interest.topic, number, note.epoch + 1)
        made.append(Hold(lease, claims[number], start, begun, fresh=number in fresh))
    return made


async def _reached(scene: Scene, beyond: Mapping[Place, int]) -> None:
    """Else a log that lost its end would be skipped as far as it had been read, once it has grown again."""
    for (topic, number), end in (await ends_before(scene.admin, beyond)).items():
        at = At(scene.names.inner(topic) or topic, number, beyond[topic, number])
        raise gone_handled(scene.interest.group, at, end)


def _note(position: Position | None) -> Note:
    return Note(begun=False) if position is None else position.note


def _start(
    scene: Scene,
    topic: str,
    number: int,
    found: dict[Place, Position],
    first: dict[Place, int],
    last: dict[Place, int],
) -> int:
    place = scene.names.outer(topic), number
    position = found.get(place)
    if position is None:
        return last[place] if topic == scene.interest.topic and scene.interest.start == "now" else first[place]
    if position.offset < first[place]:
        raise gone_unhandled(scene.interest.group, At(topic, number, position.offset), first[place])
    return position.offset
