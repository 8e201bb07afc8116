"""Which partitions a group has begun with: kept where the brokers' forgetting of positions does not reach.

The brokers forget the positions of a group that has had no member for long (`offsets.retention.minutes`), and an
administrator may delete them. Whoever then began anew would do everything again, or skip it; so it is refused.
"""

from farandole.engines.kafka.catalog import Catalog
from farandole.engines.kafka.names import Names
from farandole.engines.kafka.state import StateReader
from farandole.events.errors import LogError
from farandole.events.topics import BEGINNINGS
from farandole.log.care import ENGINE_TOPICS
from farandole.log.ports import Lease
from farandole.log.record import NewRecord


class Beginnings:
    """Of all groups of a log; read only by who finds no position."""

    def __init__(self, catalog: Catalog, names: Names, states: StateReader) -> None:
        self._catalog, self._names, self._states = catalog, names, states

    async def prepare(self) -> None:
        """Make the topics where they are missing."""
        for spec in ENGINE_TOPICS:
            await self._catalog.ensure_hidden(spec)

    async def check(self, group: str, topic: str, numbers: list[int]) -> None:
        """Raise LogError where a partition without a position was begun before."""
        rows = await self._states.rows(self._names.outer(BEGINNINGS), BEGINNINGS, 0)
        begun = {row.key for row in rows}
        gone = [number for number in numbers if _key(group, topic, number) in begun]
        if gone:
            raise LogError(
                f"the positions of {group} in {topic!r}, partitions {gone}, are gone: forgotten by the brokers "
                "(offsets.retention.minutes) or deleted. Set them with kafka-consumer-groups --reset-offsets to where "
                "it is to go on; what lies before is then not done, what lies behind is done again"
            )


def mark(lease: Lease) -> NewRecord:
    """What is written with the first take-over of a partition."""
    return NewRecord(BEGINNINGS, b"{}", _key(lease.group, lease.topic, lease.partition), partition=0)


def _key(group: str, topic: str, number: int) -> bytes:
    return f"{group}|{topic}|{number}".encode()
