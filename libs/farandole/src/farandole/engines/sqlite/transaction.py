"""One write transaction: the commits and appends that have queued, each fenced or refused by itself, then the rest."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import apsw

from farandole.engines.sqlite.compose import Composer
from farandole.engines.sqlite.identities import First
from farandole.engines.sqlite.requests import (
    AppendRequest,
    CommitRequest,
    Effects,
    OpRequest,
    Portion,
    Request,
    Written,
)
from farandole.engines.sqlite.store import Store
from farandole.events.errors import FarandoleError, LogUnavailable
from farandole.log.ports import Committed

Answer = Any
"""What becomes of a request's future: a value, or a FarandoleError that it raises."""


class Transaction:
    """What is done between BEGIN and COMMIT; both, and what fails between them, are the writer's."""

    def __init__(self, db: apsw.Connection, composer: Composer, passed: Callable[[str], None]) -> None:
        self.db = db
        self.now = time.time_ns() // 1000
        self.effects = Effects()
        self.store = Store(db, self.now)
        self._composer = composer
        self._passed = passed

    def run(self, requests: Sequence[Request]) -> list[Answer]:
        """Apply all requests, those that write records first; the answers in the order of the requests."""
        self.store.load(chain.from_iterable(map(_tps, requests)), chain.from_iterable(map(_leases, requests)))
        answers: list[Answer] = [self._take(request) for request in requests]
        self.store.flush_records()
        self._passed("after-frames")
        self.store.flush_places()
        for at, request in enumerate(requests):
            if isinstance(request, OpRequest):
                answers[at] = self._apply(request)
        self.effects.topics |= self.store.topics
        return answers

    def _take(self, request: Request) -> Answer:
        try:
            match request:
                case CommitRequest():
                    return self._commit(request)
                case AppendRequest():
                    return self._append(request)
                case OpRequest():
                    return None
        except FarandoleError as refused:
            return refused

    def _apply(self, request: OpRequest) -> Answer:
        try:
            return request.apply(self)
        except FarandoleError as refused:
            return refused

    def _commit(self, request: CommitRequest) -> Committed:
        if request.turn.failed != request.told:
            raise LogUnavailable("a commit before this one failed, so nothing of this one was written")
        composed = request.composed
        kept: list[Portion] = []
        fenced: list[Portion] = []
        for portion in request.portions:
            stands = self.store.holds(portion.lease, portion.unit.lease.epoch, portion.member)
            (kept if stands else fenced).append(portion)
        if fenced:
            composed = self._composer.compose(chain.from_iterable(p.outputs for p in kept))
        self.store.write(composed)
        for portion in kept:
            self.store.move(portion.positions)
        return Committed([p.unit for p in fenced])

    def _append(self, request: AppendRequest) -> list[Written]:
        known = self.store.recall([identity.id for identity in request.identities if identity is not None])
        written: list[Written] = []
        fresh: list[int] = []
        offsets: dict[int, int] = {}
        for at, (tp, identity) in enumerate(zip(request.tps, request.identities, strict=True)):
            first = known.get(identity.id) if identity else None
            if identity and first:
                identity.check(first)
                written.append((first.tp, first.offset))
                continue
            offset = offsets.get(tp, self.store.end(tp))
            offsets[tp] = offset + 1
            written.append((tp, offset))
            fresh.append(at)
            if identity:
                known[identity.id] = First(identity.fingerprint, tp, offset)
        self._write_fresh(request, fresh)
        self.store.remember((i.id, known[i.id]) for i in (request.identities[at] for at in fresh) if i)
        return written

    def _write_fresh(self, request: AppendRequest, fresh: Sequence[int]) -> None:
        whole = len(fresh) == len(request.records)
        self.store.write(request.composed if whole else self._composer.compose(request.records[at] for at in fresh))


def _tps(request: Request) -> Iterator[int]:
    if not isinstance(request, OpRequest):
        yield from (frame.tp for frame in request.composed.frames)
        yield from (row.tp for row in request.composed.rows)


def _leases(request: Request) -> Iterator[int]:
    if isinstance(request, CommitRequest):
        yield from (portion.lease for portion in request.portions)
