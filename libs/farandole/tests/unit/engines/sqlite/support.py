"""What the tests of the SQLite engine share."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from farandole.engines.sqlite.log import SqliteLog
from farandole.engines.sqlite.watch import Noted
from farandole.log.ports import Interest, Lease, Polled
from farandole.log.record import NewRecord, Record, TopicSpec

WORK = Interest("group/step", "work")


@asynccontextmanager
async def opened(
    path: Path, *topics: TopicSpec, lease: float = 6.0, loop_grace: float = 60.0, noted: Noted | None = None
) -> AsyncIterator[SqliteLog]:
    """A handle with these topics, closed in the end."""
    log = await SqliteLog.open(path, lease=lease, loop_grace=loop_grace, noted=noted or Notes())
    try:
        await log.ensure(topics)
        yield log
    finally:
        await log.close()


def numbered(count: int, topic: str = "work", *, first: int = 0) -> list[NewRecord]:
    """Records that count, of one key."""
    return [NewRecord(topic, b"%d" % n, b"k") for n in range(first, first + count)]


async def everything(log: SqliteLog, topic: str = "work") -> list[Record]:
    """All records of a topic, in order."""
    reader = await log.reader([topic])
    found: list[Record] = []
    while more := await reader.poll():
        found += more
    await reader.close()
    return found


def values(records: Sequence[Record]) -> list[int]:
    """The numbers that records of `numbered` hold."""
    return [int(record.value or b"-1") for record in records]


def only(polled: Polled) -> Lease:
    """The one lease that a poll granted."""
    (lease,) = polled.granted
    return lease


class Notes:
    """What an operator would have been told."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, object]]] = []

    def __call__(self, event: str, **fields: object) -> None:
        self.seen.append((event, fields))

    @property
    def events(self) -> list[str]:
        """Only what happened."""
        return [event for event, _ in self.seen]
