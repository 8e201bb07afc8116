"""A replica: reads the log, folds the shards that it holds, and takes and gives shards as replicas come and go."""

import asyncio
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from farandole.events.errors import LogError, LogFormatError, LogUnavailable
from farandole.events.manifest import Manifest
from farandole.events.topics import JOURNAL, MANIFESTS
from farandole.fold import Topology
from farandole.log.manifests import read_manifest, read_manifests
from farandole.log.partitioner import journal_partition
from farandole.log.ports import Log
from farandole.log.record import Record, Span, TopicPartition
from farandole_observe.projector.intake import Intake
from farandole_observe.projector.shard import Ended, Shard
from farandole_observe.projector.sieve import EVERYTHING, Sieve
from farandole_observe.projector.sight import Facts, Input, facts_of, input_of, wanted
from farandole_observe.store import shards, tables
from farandole_observe.store.bulk import upsert
from farandole_observe.store.opening import Store
from farandole_observe.store.unbroken import to_its_end

HELD = 10.0
"""Seconds after which the shards of a replica that is not heard of are another's."""
_WAIT = 1.0  # seconds of one poll that finds nothing
_IN_MEMORY = 100_000  # events of workflows under way that its shards keep in memory together
_RECOUNTED = 500  # workflows of one transaction
_PAUSE = 1.0  # seconds before the log, or the store, is tried again
_LOOK = 1.0  # seconds after which it is asked again where the log ends, so that the tables tell how old they are


class Replica:
    """Folds `log`, what the sieve lets through of it, into `store`.

    `name` tells it from other replicas: two of one name take each other's shards. `ended` hears of each workflow
    that the tables say is complete.
    """

    def __init__(
        self, log: Log, store: Store, name: str, sieve: Sieve = EVERYTHING, ended: Ended | None = None
    ) -> None:
        self.name, self._ended = name, ended
        self._log, self._store, self._sieve = log, store, sieve
        self._shards: dict[int, Shard] = {}
        self._number = 0  # of shards in all
        self._manifests: dict[str, Manifest] = {}
        self._topology = Topology.of(())
        self._intake: Intake | None = None
        self._followed: tuple[frozenset[str], frozenset[int]] = (frozenset(), frozenset())
        self._goal: tuple[float, Mapping[TopicPartition, Span]] | None = None  # where the log ended, and when
        self._renew = self._looked = 0.0
        self._greedy = False  # takes whatever is nobody's, for it will not stay
        self._say = structlog.get_logger("farandole_observe")
        self.turns = 0
        """How many it has taken, those among them that could only wait."""
        self.shares = False
        """Whether it has its share of the shards, which may be none."""

    async def run(self) -> None:
        """Fold until cancelled, and end the turn under way then; where log or store cannot be reached, or the log was
        cut meanwhile, again and again.
        """
        try:
            while True:
                try:
                    await to_its_end(self.turn(_WAIT))
                except LogFormatError:
                    raise
                except (LogError, SQLAlchemyError, OSError) as error:
                    self._say.warning("the projection waits", reason=str(error).splitlines()[0])
                    await self._start_again()
                    await asyncio.sleep(_PAUSE)
                self.turns += 1
        finally:
            await self.close()

    async def catch_up(self) -> None:
        """Fold to the present end of the log all that no other replica folds just now."""
        self._greedy = True
        while True:
            await self.turn(0.05)
            now, ends = self._clock(), await self._log.spans(sorted(self._followed[0]))
            if self._is_at(ends) and not await self._recount():
                await self._tell_age(now)
                return

    async def turn(self, wait: float) -> None:
        """Hold what is due, read for at most `wait` seconds, fold it."""
        if self._clock() >= self._renew:
            await self._share_out()
        if not self._shards:
            await asyncio.sleep(wait)
            return
        intake = await self._reading()
        records = await intake.take(wait)
        if records:
            await self._fold(records, intake.positions())
        else:
            await self._recount()
        await self._look()

    @property
    def held(self) -> frozenset[int]:
        """The shards that it has."""
        return frozenset(self._shards)

    def hurry(self) -> None:
        """Look at once for shards to take or to give."""
        self._renew = 0.0

    async def close(self) -> None:
        """Give the shards back. Idempotent."""
        with suppress(SQLAlchemyError, OSError):
            async with self._store.writing() as connection:
                for shard in self._shards.values():
                    await shards.let_go(connection, shard.turn)
                await shards.leave(connection, self.name)
        self._shards = {}
        await self._end_reading()

    # -- shards ---------------------------------------------------------------------------------------------

    def _clock(self) -> float:
        return self._log.clock.now()

    async def _share_out(self) -> None:
        """Claim what is nobody's up to a fair share, and give back what is beyond it."""
        now = self._clock()
        self._number = len(await self._log.spans([JOURNAL]))
        async with self._store.writing() as connection:
            others = await shards.others(connection, self.name, now=now, until=now + HELD)
            fair = self._number if self._greedy else math.ceil(self._number / (others + 1))
            await self._give_back(connection, fair)
            owners = await shards.owners(connection, now)
            free = [n for n in range(self._number) if n not in self._shards and owners.get(n, self.name) == self.name]
            for number in free[: fair - len(self._shards)]:
                turn = await shards.claim(connection, number, self.name, now=now, until=now + HELD)
                if turn is not None:
                    places = await shards.positions(connection, number)
                    self._shards[number] = Shard(self._store, turn, places, self._ended)
            for shard in self._shards.values():
                shard.room = _IN_MEMORY // len(self._shards)
                await shard.hold(connection, until=now + HELD)
        self._renew, self.shares = now + HELD / 3, True

    async def _give_back(self, connection: AsyncConnection, fair: int) -> None:
        for number in sorted(self._shards)[fair:]:
            await shards.let_go(connection, self._shards.pop(number).turn)

    # -- reading --------------------------------------------------------------------------------------------

    async def _reading(self) -> Intake:
        if self._intake is not None and self._wanted() == self._followed:
            return self._intake
        await self._end_reading()
        await self._declare(await read_manifests(self._log))
        following = self._wanted()
        start = await self._start(following[0])
        self._intake, self._followed = await Intake.open(self._log, following[0], start), following
        return self._intake

    def _wanted(self) -> tuple[frozenset[str], frozenset[int]]:
        return wanted(self._topology), frozenset(self._shards)

    async def _start(self, topics: frozenset[str]) -> dict[TopicPartition, int]:
        """Where to read on: at the first offset that some shard lacks; what is gone from the log is noted."""
        start: dict[TopicPartition, int] = {}
        for place, span in (await self._log.spans(sorted(topics - {MANIFESTS}))).items():
            if place[0] == JOURNAL and place[1] not in self._shards:
                start[place] = span.end
                continue
            for shard in self._shards.values():
                lacking = span.start - shard.positions.get(place, 0)
                if place[0] == JOURNAL and place[1] == shard.turn.shard and lacking > 0:
                    await self._note_cut(shard, place, lacking)
            start[place] = max(span.start, min(s.positions.get(place, 0) for s in self._shards.values()))
        return start

    async def _note_cut(self, shard: Shard, place: TopicPartition, lacking: int) -> None:
        self._say.warning("history is gone that was not folded", topic=place[0], partition=place[1], offsets=lacking)
        after = {place: shard.positions.get(place, 0) + lacking}
        async with self._store.writing() as connection:
            await shards.note_cut(connection, shard.turn, lacking)
        await shard.fold([], after, until=self._clock() + HELD)

    async def _end_reading(self) -> None:
        self._goal = None
        if self._intake is not None:
            intake, self._intake = self._intake, None
            await intake.close()

    async def _start_again(self) -> None:
        """Forget what may not be as the tables have it."""
        self._shards, self._renew, self.shares = {}, 0.0, False
        with suppress(LogUnavailable, OSError):
            await self._end_reading()

    async def _declare(self, manifests: Sequence[Manifest]) -> None:
        fresh = [m for m in manifests if self._manifests.get(m.key) != m and self._sieve.declares(m)]
        if fresh:
            self._manifests |= {m.key: m for m in fresh}
            self._topology = Topology.of(self._manifests.values())
            rows = [(m.service, m.version, m.at, m.model_dump_json()) for m in fresh]
            async with self._store.writing() as connection:
                await upsert(connection, tables.manifests, rows, rising="at")
        for shard in self._shards.values():
            shard.declare(self._topology)

    async def _fold(self, records: Sequence[Record], after: dict[TopicPartition, int]) -> None:
        declared = [m for m in (read_manifest(r) for r in records if r.topic == MANIFESTS) if m is not None]
        if declared:
            await self._declare(declared)
        found = self._sorted(records)
        until = self._clock() + HELD
        for number, shard in self._shards.items():
            news = {place: following for place, following in after.items() if shard.is_behind(place, following)}
            if news:
                fresh = [one for one in found[number] if shard.is_behind(one.record.place[:2], one.record.offset + 1)]
                await shard.fold(fresh, news, until=until)

    def _sorted(self, records: Sequence[Record]) -> dict[int, list[Facts | Input]]:
        """By shard, what is to be folded, in its order."""
        found = defaultdict[int, list[Facts | Input]](list)
        for record in records:
            if record.topic == JOURNAL:
                if record.partition in self._shards and self._sieve.may_hold(record):
                    facts = facts_of(record)
                    found[record.partition].append(facts._replace(facts=self._sieve.facts(facts.facts)))
            elif record.topic != MANIFESTS:
                given = input_of(record)
                if given is not None and self._sieve.wants(given.workflow, record.time):
                    found[journal_partition(given.workflow, self._number)].append(given)
        return found

    async def _recount(self) -> int:
        until = self._clock() + HELD
        return sum([await shard.recount(_RECOUNTED, until=until) for shard in self._shards.values()])

    # -- how old the tables are -----------------------------------------------------------------------------

    async def _look(self) -> None:
        """Where the log ends is noted now and then, and once all before it is folded the tables say of when they are.

        So their age is told also while facts never cease, and the very end is never met.
        """
        if self._goal is None and self._clock() >= self._looked + _LOOK:
            self._looked = self._clock()
            self._goal = self._looked, await self._log.spans(sorted(self._followed[0]))
        if self._goal is not None and self._is_at(self._goal[1]):
            now, self._goal = self._goal[0], None
            await self._tell_age(now)

    async def _tell_age(self, seen: float) -> None:
        until = self._clock() + HELD
        async with self._store.writing() as connection:
            for shard in self._shards.values():
                await shard.hold(connection, until=until, seen=seen)

    def _is_at(self, ends: Mapping[TopicPartition, Span]) -> bool:
        """Whether nothing of its shards is lacking before these ends: what was read is folded."""
        if self._intake is None or self._wanted() != self._followed:
            return not self._shards
        stands = self._intake.positions()
        mine = (place for place in ends if place[0] != JOURNAL or place[1] in self._shards)
        return all(stands.get(place, ends[place].start) >= ends[place].end for place in mine)
