"""What facts add up to by step and by worker, whatever workflow they are of."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from farandole.events.facts import Fact
from farandole_observe.store import tables
from farandole_observe.store.bulk import upsert
from farandole_observe.store.durations import bucket

_ENDINGS = ("completed", "retrying", "dead")


@dataclass(slots=True)
class Minute:
    """What a step did in one minute; `micros`: the microseconds that its attempts took together."""

    completed: int = 0
    retrying: int = 0
    dead: int = 0
    micros: int = 0


@dataclass(slots=True)
class Tallies:
    """What one batch of facts adds: by step and minute, by step and duration, and when each worker was last seen."""

    minutes: dict[tuple[str, int], Minute] = field(default_factory=dict)
    durations: Counter[tuple[str, int]] = field(default_factory=Counter)
    workers: dict[tuple[str, str, str], float] = field(default_factory=dict)

    def add(self, facts: Iterable[Fact]) -> None:
        """Attempts that ran; what is held, parked or moved by a command is none."""
        for fact in facts:
            if fact.fact in _ENDINGS and fact.started:
                self._add(fact)

    def _add(self, fact: Fact) -> None:
        step = f"{fact.service}/{fact.step}"
        seconds = max(0.0, fact.finished - fact.started)
        minute = self.minutes.setdefault((step, int(fact.finished // 60)), Minute())
        minute.micros += round(seconds * 1e6)
        if fact.fact == "completed":
            minute.completed += 1
        elif fact.fact == "retrying":
            minute.retrying += 1
        else:
            minute.dead += 1
        self.durations[step, bucket(seconds)] += 1
        if fact.worker:
            worker = fact.worker, fact.service, fact.version
            self.workers[worker] = max(self.workers.get(worker, 0.0), fact.finished)

    async def write(self, connection: AsyncConnection, shard: int) -> None:
        """Add them to the tables."""
        minutes = [
            (shard, step, minute, m.completed, m.retrying, m.dead, m.micros)
            for (step, minute), m in self.minutes.items()
        ]
        await upsert(connection, tables.step_minutes, minutes, adding=True)
        durations = [(shard, step, number, count) for (step, number), count in self.durations.items()]
        await upsert(connection, tables.durations, durations, adding=True)
        workers = [(shard, *worker, seen) for worker, seen in self.workers.items()]
        await upsert(connection, tables.workers, workers, rising="seen")
