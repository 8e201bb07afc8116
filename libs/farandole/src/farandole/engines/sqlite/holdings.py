"""What one member holds, and how it learns of it: the leases in the file against those it knows."""

from dataclasses import dataclass, field
from typing import NamedTuple

import apsw

from farandole.engines.sqlite.catalog import Topic
from farandole.engines.sqlite.database import rows, scalar
from farandole.engines.sqlite.feeds import Feed, begin
from farandole.engines.sqlite.groups import Member
from farandole.engines.sqlite.schema import TP_BITS, position_id
from farandole.log.ports import Interest, Lease, Polled
from farandole.log.pruning import gone_unhandled
from farandole.log.record import Place

_HELD = "SELECT id, epoch, revoking FROM lease WHERE id >= ? AND id < ? AND member = ?"
_POSITION = "SELECT next FROM position WHERE id = ?"
_TP = (1 << TP_BITS) - 1


class Ground(NamedTuple):
    """The topics of an interest."""

    topic: Topic
    inbox: Topic | None
    state: Topic | None


@dataclass(slots=True, eq=False)
class Held:
    """One lease that the member knows of. Nothing is polled before its state was restored, nor to be given back."""

    lease: Lease
    feeds: list[Feed]
    ready: bool
    revoking: bool = False


@dataclass(slots=True)
class _News:
    granted: list[Lease] = field(default_factory=list)
    revoking: list[Lease] = field(default_factory=list)
    lost: list[Lease] = field(default_factory=list)


class Holdings:
    """The leases of one member, by their id. News are kept until they were told."""

    def __init__(self, interest: Interest, ground: Ground) -> None:
        self._interest, self._ground = interest, ground
        self.unwanted: list[tuple[int, int]] = []
        """Leases, by id and epoch, that were to be given back before anybody was told of them."""
        self._held: dict[int, Held] = {}
        self._leaving: dict[int, Held] = {}  # being released: neither polled, nor lost, nor granted
        self._news = _News()
        self._feeds: list[Feed] | None = None

    def learn(self, db: apsw.Connection, member: Member) -> None:
        """Compare with what the file says."""
        first, partitions = self._ground.topic.first, self._ground.topic.partitions
        bounds = position_id(member.group, first), position_id(member.group, first + partitions)
        there = {id: (epoch, bool(going)) for id, epoch, going in rows(db, _HELD, (*bounds, member.id))}
        for id, held in list(self._held.items()):
            if id not in there or there[id][0] != held.lease.epoch:
                self._news.lost.append(held.lease)
                self._drop(held.lease)
        self.unwanted = []
        for id, (epoch, revoking) in there.items():
            if id in self._leaving and self._leaving[id].lease.epoch == epoch:
                continue
            if revoking and id not in self._held:
                self.unwanted.append((id, epoch))
                continue
            known = self._held.get(id) or self._begin(db, id, epoch, member.group)
            if revoking and not known.revoking:
                known.revoking = True
                self._feeds = None
                self._news.revoking.append(known.lease)

    def tell(self) -> Polled:
        """The news, once, without records."""
        news, self._news = self._news, _News()
        return Polled(news.granted, news.revoking, news.lost, [])

    def feeds(self) -> list[Feed]:
        """What may be polled."""
        if self._feeds is None:
            ready = (held for held in self._held.values() if held.ready and not held.revoking)
            self._feeds = [feed for held in ready for feed in held.feeds]
        return self._feeds

    def of(self, lease: Lease) -> Held | None:
        """What is held under exactly this lease."""
        return next((held for held in self._held.values() if held.lease == lease), None)

    def ready(self, lease: Lease) -> None:
        """The state of the lease was restored."""
        held = self.of(lease)
        if held is not None:
            held.ready = True
            self._feeds = None

    def leave(self, lease: Lease) -> None:
        """It is about to be released."""
        self._leaving |= {id: held for id, held in self._held.items() if held.lease == lease}
        self._drop(lease)

    def left(self, lease: Lease, *, released: bool) -> None:
        """It was released, or could not be and is held as before."""
        leaving = {id: held for id, held in self._leaving.items() if held.lease == lease}
        self._leaving = {id: held for id, held in self._leaving.items() if held.lease != lease}
        if not released:
            self._held |= leaving
            self._feeds = None

    def _drop(self, lease: Lease) -> None:
        self._held = {id: held for id, held in self._held.items() if held.lease != lease}
        self._feeds = None

    def _begin(self, db: apsw.Connection, id: int, epoch: int, group: int) -> Held:
        number = (id & _TP) - self._ground.topic.first
        lease = Lease(self._interest.group, self._ground.topic.name, number, epoch)
        topics = [topic for topic in (self._ground.topic, self._ground.inbox) if topic is not None]
        feeds = [Feed(topic, number, self._position(db, group, topic, number)) for topic in topics]
        held = self._held[id] = Held(lease, feeds, ready=self._ground.state is None)
        self._feeds = None
        self._news.granted.append(lease)
        return held

    def _position(self, db: apsw.Connection, group: int, topic: Topic, number: int) -> int:
        """Where the group goes on. Raises LogError where that was pruned."""
        tp = topic.tp(number)
        start = begin(db, topic, number, scalar(db, _POSITION, position_id(0, tp)))
        found: int | None = scalar(db, _POSITION, position_id(group, tp))
        if found is not None and found < start:
            raise gone_unhandled(self._interest.group, Place(topic.name, number, found), start)
        return start if found is None else found
