"""Planted defects of the Kafka engine, each of a kind that it is built not to have; imported, it plants the one named.

Only for tests: the rig of kills, or the contract suite, has to find each (`make chaos-kafka MUTANT=name`).
"""

import os
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any

from confluent_kafka import Consumer, Producer

from farandole.engines.kafka import state, takeover, transactor
from farandole.engines.kafka.catalog import Catalog
from farandole.engines.kafka.clients import Clients
from farandole.engines.kafka.committer import Committer, Portion
from farandole.engines.kafka.hold import Hold
from farandole.engines.kafka.member import Member
from farandole.engines.kafka.note import Note
from farandole.engines.kafka.offsets import Place
from farandole.engines.kafka.positions import Position, Positions
from farandole.engines.kafka.transactor import Aborted, Offsets, Transactor
from farandole.log.ports import Unit
from farandole.log.record import NewRecord, Record

MUTANT = "CHAOS_MUTANT"
"""Environment: a name in `DEFECTS`."""


def no_fencing() -> None:
    """A successor ends nothing that its predecessor left open, and reads positions all the same."""
    real = Positions.of

    async def at_once(self: Positions, places: Iterable[Place], proof: object) -> Mapping[Place, Position]:
        return await real(self, places, stable=False)

    _replace(Transactor, "fence", lambda self, id: None)
    _replace(Positions, "proven", at_once)


def offsets_before_the_fence() -> None:
    """Where to go on is read first, and then the predecessor is ended."""
    early: dict[Positions, Mapping[Place, Position]] = {}
    real, ended = Positions.of, takeover.predecessors

    async def predecessors(scene: takeover.Scene, numbers: Sequence[int]) -> set[str]:
        topics = [scene.interest.topic, *([scene.interest.inbox] if scene.interest.inbox else [])]
        places = [(scene.names.outer(topic), number) for topic in topics for number in numbers]
        early[scene.positions] = await real(scene.positions, places, stable=False)
        return await ended(scene, numbers)

    async def remembered(self: Positions, places: Iterable[Place], proof: object) -> Mapping[Place, Position]:
        return early[self] if self in early else await real(self, places, stable=False)

    _replace(takeover, "predecessors", predecessors)
    _replace(Positions, "proven", remembered)


def state_restored_short() -> None:
    """The last row of a state is not read."""
    real = state.read_state

    def short(*args: Any) -> list[Record]:
        return real(*args)[:-1]

    _replace(state, "read_state", short)


def output_outside_the_transaction() -> None:
    """A step's first output is written by a producer of its own."""
    real = Transactor.run
    aside: list[Producer] = []

    def run(
        self: Transactor,
        records: Sequence[tuple[str, NewRecord]],
        offsets: Offsets | None = None,
        *,
        places: bool = False,
    ) -> list[int]:
        if offsets is None or not records or places:
            return real(self, records, offsets, places=places)
        if not aside:
            aside.append(self._clients.producer(None))
        transactor._produce(aside[0], *records[0], lambda error, message: None)
        aside[0].flush(10)
        return real(self, records[1:], offsets)

    _replace(Transactor, "run", run)


def metadata_after_the_revoke() -> None:
    """A partition is given up at once, and what it had under way commits as of the next generation."""

    def on_revoke(self: Member, wanted: list[int]) -> None:
        self._heard.let_go = lambda partitions: None  # type: ignore[method-assign]
        self._heard.revoked(wanted)
        self._given.difference_update(wanted)
        self._unassign(wanted)
        self._learn()

    _replace(Member, "_on_revoke", on_revoke)
    _replace(Committer, "commit", _commit_whatever_was_held)


def lost_lease_committed() -> None:
    """Nobody looks whether a lease still stands; the membership is looked up anew before each try."""
    _replace(Committer, "commit", _commit_whatever_was_held)


def no_generation() -> None:
    """Positions commit without the member's generation, as older clients did."""
    real = Clients.member

    def member(self: Clients, group: str, grace: float) -> Consumer:
        consumer, nobody = real(self, group, grace), Consumer(self._reading(group))
        return _Nobody(consumer, nobody)  # type: ignore[return-value]

    _replace(Clients, "member", member)


def abort_taken_for_done() -> None:
    """A transaction that was aborted counts as committed."""
    real = Committer.commit

    def commit(self: Committer, portions: Sequence[Portion], stamp: str) -> list[Unit]:
        try:
            return real(self, portions, stamp)
        except Aborted:
            self.settle(portions)
            return []

    _replace(Committer, "commit", commit)


def uncommitted_read() -> None:
    """Steps see what was never committed."""
    real = Clients._reading

    def reading(self: Clients, group: str) -> dict[str, Any]:
        return real(self, group) | {"isolation.level": "read_uncommitted"}

    _replace(Clients, "_reading", reading)


def another_partitioner() -> None:
    """Each process has its own idea of where a key belongs."""

    async def placed(self: Catalog, records: Iterable[NewRecord]) -> list[NewRecord]:
        found = []
        for record in records:
            count = await self.partitions(record.topic)
            if record.partition is None and record.key is not None and count:
                found.append(record._replace(partition=(zlib.crc32(record.key) + os.getpid()) % count))
            else:
                found += await real(self, [record])
        return found

    real = Catalog.placed
    _replace(Catalog, "placed", placed)


def position_of_what_was_fetched() -> None:
    """Who commits anything commits that all is done that has come."""
    real = Committer._transact

    def transact(
        self: Committer,
        records: Sequence[NewRecord],
        moved: Mapping[Hold, Mapping[str, int]],
        told: Note,
        begun: Any = (),
        *,
        places: bool = False,
    ) -> list[int]:
        ahead = {
            hold: {topic: max(at, hold.queues[topic].last + 1) for topic, at in there.items()}
            for hold, there in moved.items()
        }
        return real(self, records, ahead, told, begun, places=places)

    _replace(Committer, "_transact", transact)


DEFECTS: Mapping[str, Callable[[], None]] = {
    defect.__name__.replace("_", "-"): defect
    for defect in (
        no_fencing,
        offsets_before_the_fence,
        state_restored_short,
        output_outside_the_transaction,
        metadata_after_the_revoke,
        lost_lease_committed,
        no_generation,
        abort_taken_for_done,
        uncommitted_read,
        another_partitioner,
        position_of_what_was_fetched,
    )
}

GUARDED_TWICE = frozenset({"no-generation"})
"""Those whose harm something else prevents nearly always (a successor fences whoever held a lease, whatever generation
it names), so that a storm of kills may well find nothing: hunted only where they are named."""


class _Nobody:
    """A consumer whose word for its membership is that of one that never joined."""

    def __init__(self, consumer: Consumer, nobody: Consumer) -> None:
        self._consumer, self._nobody = consumer, nobody

    def consumer_group_metadata(self) -> object:
        return self._nobody.consumer_group_metadata()

    def close(self) -> None:
        self._nobody.close()
        self._consumer.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)


def _commit_whatever_was_held(self: Committer, portions: Sequence[Portion], stamp: str) -> list[Unit]:
    with self.lock:
        held = [p for p in portions if p.hold is not None]
        if any(p.records or p.positions for p in held):
            self._write(held, stamp)
        return [p.unit for p in portions if p.hold is None]


def _replace(where: Any, name: str, defect: Any) -> None:
    setattr(where, name, wraps(getattr(where, name))(defect))


if os.environ.get(MUTANT):
    DEFECTS[os.environ[MUTANT]]()
