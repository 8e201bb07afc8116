"""What a member holds of one partition number: the lease, its positions, and records that wait to be polled."""

from collections import deque

from farandole.log.ports import Lease
from farandole.log.record import Record

HIGH, LOW = 8_000_000, 2_000_000
"""Bytes that wait of one topic, at which fetching stops and goes on."""
_EACH = 200  # bytes that a record costs beside its value


class Queue:
    """Records of one topic of a lease."""

    __slots__ = ("end", "fetching", "last", "paused", "size", "waiting")

    def __init__(self, begin: int) -> None:
        self.waiting: deque[Record] = deque()
        self.size = 0
        self.last = begin - 1
        """Offset of the last record that came, or of the one before the first that may come."""
        self.end = -1
        """All below it has come."""
        self.paused = False
        """Whether who polls wants nothing of it."""
        self.fetching = True

    def put(self, record: Record) -> None:
        """One record that came; none comes twice."""
        if record.offset <= self.last:
            return
        self.waiting.append(record)
        self.last = record.offset
        self.size += len(record.value or b"") + _EACH

    def take(self, limit: int) -> list[Record]:
        """At most so many, in order; none while paused."""
        if self.paused or limit <= 0 or not self.waiting:
            return []
        if limit >= len(self.waiting):
            taken = list(self.waiting)
            self.waiting.clear()
            self.size = 0
            return taken
        taken = [self.waiting.popleft() for _ in range(limit)]
        self.size -= sum(len(record.value or b"") + _EACH for record in taken)
        return taken

    def passed(self, position: int) -> int:
        """Where it really stands at `position`: what ends a transaction takes an offset and never comes."""
        return self.end if self.last < position < self.end else position


class Claim:
    """That the group gave a partition number to this member; another one each time that it does."""

    __slots__ = ("gone",)

    def __init__(self) -> None:
        self.gone = False
        """Whether it was given up, or taken away; set on the member's thread, before anybody else can have it."""


class Hold:
    """One lease, from its grant to its end."""

    __slots__ = ("_left", "begun", "claim", "fresh", "lease", "positions", "queues", "ready", "revoking", "state_end")

    def __init__(
        self, lease: Lease, claim: Claim, positions: dict[str, int], begun: set[str], *, fresh: bool = False
    ) -> None:
        self.lease, self.claim = lease, claim
        self.positions = positions
        """Committed, or where it begins, by the log's name of the topic."""
        self.begun = begun
        """Topics with a position that was committed; the others stand where they begin."""
        self.queues = {topic: Queue(begin) for topic, begin in positions.items()}
        self.fresh = fresh
        """Whether the group has never held it before."""
        self.state_end = 0
        """Where the state ended when it was taken over, at least."""
        self.ready = False
        """Whether its records are fetched."""
        self.revoking = False
        self._left = False

    @property
    def gone(self) -> bool:
        """Whether nothing commits under it any more."""
        return self._left or self.claim.gone

    def leave(self) -> None:
        """Nothing commits under it any more, though the member may claim the partition still."""
        self._left = True
