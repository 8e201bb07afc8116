"""What the event loop asks of the writer: read from the caller's arguments at once, so later changes are not in it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import apsw

from farandole.engines.sqlite.compose import Composed
from farandole.engines.sqlite.identities import Identity
from farandole.log.ports import Committed, Unit
from farandole.log.record import NewRecord

Written = tuple[int, int]
"""Where a record was written: tp and offset."""


@dataclass(slots=True)
class Effects:
    """Whom a transaction concerns beside those who asked for it."""

    topics: set[str] = field(default_factory=set)  # were written
    handles: set[int] = field(default_factory=set)  # their leases came or went
    registry: bool = False  # who listens to what has changed
    everyone: bool = False  # topics were created


class Txn(Protocol):
    """What an operation may use of the transaction that it runs in."""

    db: apsw.Connection
    now: int  # microseconds since the epoch
    effects: Effects


class Turn:
    """The order of one subscription's commits: when one fails, those called before that was known fail too.

    Else a later position would say that what the failed one held is done. `failed` is the writer's count,
    `told` the event loop's.
    """

    __slots__ = ("failed", "told")

    def __init__(self) -> None:
        self.failed = self.told = 0


class Portion(NamedTuple):
    """One unit of a commit, as it was when the commit was called."""

    unit: Unit
    lease: int
    member: int
    outputs: tuple[NewRecord, ...]
    positions: tuple[tuple[int, int], ...]  # id of the position, next offset


@dataclass(slots=True, eq=False)
class CommitRequest:
    """A call of `Subscription.commit`."""

    future: "asyncio.Future[Committed]"
    portions: tuple[Portion, ...]
    composed: Composed
    turn: Turn
    told: int  # the failures that its caller knew of


@dataclass(slots=True, eq=False)
class AppendRequest:
    """A call of `Log.append`; every record has its partition, `tps` says where that is."""

    future: "asyncio.Future[list[Written]]"
    records: tuple[NewRecord, ...]
    tps: tuple[int, ...]
    identities: tuple[Identity | None, ...]
    composed: Composed


@dataclass(slots=True, eq=False)
class OpRequest:
    """Anything else that is to be done within a transaction. It raises only before it has written something."""

    future: "asyncio.Future[Any]"
    apply: Callable[[Txn], Any]


Request = CommitRequest | AppendRequest | OpRequest
