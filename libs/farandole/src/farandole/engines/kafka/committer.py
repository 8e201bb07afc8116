"""The one transaction in which a member's outputs, positions and notes commit; blocking, on the member's own thread.

The lock is shared with revocation: what was given up is dropped from a commit, the membership is taken inside it,
and nothing is given up while a commit is under way.
"""

import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import TopicPartition

from farandole.engines.kafka.beginnings import mark
from farandole.engines.kafka.hold import Claim, Hold
from farandole.engines.kafka.member import Member
from farandole.engines.kafka.names import Names
from farandole.engines.kafka.note import ENTERED, Note
from farandole.engines.kafka.positions import Position
from farandole.engines.kafka.transactor import Offsets, Transactor
from farandole.log.ports import Unit
from farandole.log.record import NewRecord

_BOUND = 30.0  # seconds
_LOOK = 0.1  # seconds


class Portion(NamedTuple):
    """A unit as it commits: its hold, if there is one, and records that have their partition."""

    unit: Unit
    hold: Hold | None
    records: Sequence[NewRecord]
    positions: Mapping[str, int]


class Committer:
    """Makes a member's transactions."""

    def __init__(
        self, transactor: Transactor, member: Member, names: Names, everyone: Callable[[], Iterable[Hold]]
    ) -> None:
        self.lock = threading.Lock()
        self.transactor = transactor
        self._member, self._names, self._everyone = member, names, everyone
        self._stated = ""  # the transactional id that the notes of all holds name

    def commit(self, portions: Sequence[Portion], stamp: str) -> list[Unit]:
        """Write all whose lease stands; the others. Raises what `Transactor.run` raises.

        `stamp`: stands in the notes once it is committed, until something else is.
        """
        with self.lock:
            live = [p for p in portions if p.hold is not None and not p.hold.gone]
            if any(p.records or p.positions for p in live):
                self._write(live, stamp)
            return [p.unit for p in portions if p.hold is None or p not in live]

    def prove(self, outer: str) -> Position:
        """Commit something there that was never committed before, as a member; what it is. Moves nothing."""
        note = Note(self.transactor.id, stamp=uuid.uuid4().hex)
        place = TopicPartition(outer, 0, 0, metadata=note.text())
        with self.lock:
            self.transactor.run([], Offsets([place], self._member.membership))
        return Position(0, note)

    def enter(self, holds: Sequence[Hold], state: str | None) -> None:
        """State that this member holds these from now on; fenced as any commit is.

        A tombstone of nothing marks where their states end by now: whoever reads up to it reads all that is theirs.
        One whose claim is gone is left out: others may have gone on since its positions were read.
        """
        with self.lock:
            holds = [hold for hold in holds if not hold.gone]
            if not holds:
                return
            fresh = [mark(hold.lease) for hold in holds if hold.fresh]
            ends = (
                [] if state is None else [NewRecord(state, None, ENTERED, partition=h.lease.partition) for h in holds]
            )
            moved = {hold: dict(hold.positions) for hold in holds}
            written = self._transact(fresh + ends, moved, Note(self.transactor.id), places=True)
            for hold, offset in zip(holds if ends else (), written[len(fresh) :], strict=True):
                hold.state_end = offset + 1

    def leave(self, holds: Sequence[Hold]) -> None:
        """State that this member let go of these: a successor has nothing to end."""
        with self.lock:
            standing = [hold for hold in holds if not hold.gone]
            for hold in standing:
                hold.leave()
            if standing:
                self._transact([], {hold: dict(hold.positions) for hold in standing}, Note(""))

    def refresh(self) -> None:
        """The group may have gone on: have the membership looked up before the next try."""
        self._member.refresh()

    def begin_anew(self) -> None:
        """Whoever holds the lock does not come back; what it left open is ended by the next transaction."""
        self.lock = threading.Lock()
        self.transactor = self.transactor.successor()

    def drop(self, claims: Iterable[Claim]) -> None:
        """These are given up; returns when no commit is under way, or when one does not come back.

        Such a one commits nothing any more: its membership is of a former generation by then.
        """
        for claim in claims:
            claim.gone = True
        lock, deadline = self.lock, time.monotonic() + _BOUND
        while lock is self.lock and time.monotonic() < deadline:
            if lock.acquire(timeout=_LOOK):
                lock.release()
                return

    def settle(self, portions: Iterable[Portion]) -> None:
        """What these commit is committed."""
        for portion in portions:
            if portion.hold is not None:
                portion.hold.positions.update(portion.positions)
                portion.hold.begun.update(portion.positions)

    def _write(self, live: Sequence[Portion], stamp: str) -> None:
        moved: dict[Hold, dict[str, int]] = {}
        for portion in live:
            assert portion.hold is not None
            moved.setdefault(portion.hold, dict(portion.hold.positions)).update(portion.positions)
        begun = {p.hold for p in live if p.hold is not None and p.unit.lease.topic in p.positions}
        records = [record for portion in live for record in portion.records]
        self._transact(records, self._with_others(moved), Note(self.transactor.id, stamp=stamp), begun)
        self._stated = self.transactor.id
        self.settle(live)

    def _with_others(self, moved: dict[Hold, dict[str, int]]) -> dict[Hold, dict[str, int]]:
        """After a new transactional id the notes of every hold have to name it."""
        if self._stated == self.transactor.id:
            return moved
        others = {hold: dict(hold.positions) for hold in self._everyone() if not hold.gone and hold not in moved}
        return moved | others

    def _transact(
        self,
        records: Sequence[NewRecord],
        moved: Mapping[Hold, Mapping[str, int]],
        told: Note,
        begun: Collection[Hold] = (),
        *,
        places: bool = False,
    ) -> list[int]:
        offsets = []
        for hold, positions in moved.items():
            lease = hold.lease
            note = told._replace(epoch=lease.epoch, begun=lease.topic in hold.begun or hold in begun)
            offsets += self._offsets(hold, positions, note)
        named = [(self._names.outer(record.topic), record) for record in records]
        return self.transactor.run(named, Offsets(offsets, self._member.membership), places=places)

    def _offsets(self, hold: Hold, positions: Mapping[str, int], note: Note) -> list[TopicPartition]:
        lease = hold.lease
        found = []
        for topic, offset in positions.items():
            if topic == lease.topic:
                found.append(TopicPartition(self._names.outer(topic), lease.partition, offset, metadata=note.text()))
            elif offset != hold.positions[topic]:
                found.append(TopicPartition(self._names.outer(topic), lease.partition, offset))
        return found
