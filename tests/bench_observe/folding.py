"""(a) Folding a million facts, beside merely reading and parsing them, and beside `eventsourcing`'s rebuild.

It is the library's own fold, in memory, as `Observer` holds it. A projector folds the same into tables, one transaction
a batch; how fast that is, part (c) says in its note (`folded into tables …`).
"""

import asyncio
import gc
import sys
import tempfile
import time
from pathlib import Path
from uuid import UUID

from eventsourcing.application import Application

from farandole.client.observer import Observer
from farandole.engines.open import open_log
from farandole.events.topics import JOURNAL
from farandole.log.reading import to_the_end
from farandole.log.record import Record
from farandole_observe.cli.options import collect_rarely
from farandole_observe.projector.sight import facts_of, input_of
from tests.bench.bars import Bar, ratio_bar
from tests.bench.counter import Counter
from tests.bench_observe import chains

FACTS = 1_000_000
STEPS = 5
ROUNDS = 3
PEER_EVENTS = 100_000
"""What the peer rebuilds: its rate does not depend on how many there are."""


def run(count: int = FACTS, rounds: int = ROUNDS) -> list[Bar]:
    """Both ratios; rounds in turn."""
    collect_rarely()
    with tempfile.TemporaryDirectory(prefix="farandole-bench-") as name:
        url = f"sqlite:///{Path(name) / 'log.db'}"
        asyncio.run(_write(url, count))
        app, peers = _peer(Path(name) / "events.db")
        against_reading, against_peer, rates = [], [], []
        for number in range(rounds):
            reading, folding = asyncio.run(_reading(url, count)), asyncio.run(_folding(url, count))
            peer = _rebuild(app, peers)
            against_reading.append(reading / folding)
            against_peer.append((count / folding) / (PEER_EVENTS / peer))
            rates.append(count / folding)
            sys.stderr.write(
                f"fold {number + 1}/{rounds}: {count / folding:,.0f} facts/s, read and parsed "
                f"{count / reading:,.0f}/s, eventsourcing {PEER_EVENTS / peer:,.0f} events/s\n"
            )
    rate = sorted(rates)[len(rates) // 2]
    note = f"{rate:,.0f} facts/s in memory, not into tables; {count:,} of them, {STEPS} steps a workflow"
    return [
        ratio_bar("fold in memory / reading and parsing", against_reading, 0.3, at_least=True, note=note),
        ratio_bar("fold in memory / eventsourcing's rebuild, a fact to an event", against_peer, 2.0, at_least=True),
    ]


async def _write(url: str, count: int) -> None:
    log = await open_log(url)
    await chains.prepare(log, STEPS)
    sys.stderr.write(f"writing {count:,} facts\n")
    await chains.write(log, range(count // STEPS), STEPS)
    await log.close()


async def _reading(url: str, count: int) -> float:
    """All that the fold reads, parsed as far as the fold needs it, and thrown away; seconds."""
    log, topics = await open_log(url), [JOURNAL, chains.INPUT]
    gc.collect()
    begun, found = time.perf_counter(), 0
    reader = await log.reader(topics)
    async for records in to_the_end(log, reader, topics):
        found += sum(map(_parsed, records))
    seconds = time.perf_counter() - begun
    assert found == count, f"{found} facts, not {count}"
    await log.close()
    return seconds


async def _folding(url: str, count: int) -> float:
    """The library's fold, in memory; seconds."""
    log = await open_log(url)
    gc.collect()
    begun = time.perf_counter()
    observer = Observer(log)
    await observer.catch_up()
    seconds = time.perf_counter() - begun
    found = [summary.status for summary in observer.fold.workflows()]
    assert found == ["complete"] * (count // STEPS)
    await observer.close()
    await log.close()
    return seconds


def _parsed(record: Record) -> int:
    if record.topic != JOURNAL:
        input_of(record)
        return 0
    return len(facts_of(record).facts)


def _peer(path: Path) -> tuple[Application[UUID], list[UUID]]:
    environment = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(path)}
    app: Application[UUID] = Application(env=environment)
    ids: list[UUID] = []
    for _ in range(0, PEER_EVENTS, 500 * STEPS):
        counters = [Counter() for _ in range(500)]
        for counter in counters:
            for _ in range(STEPS - 1):  # the first event is its creation
                counter.step()
        app.save(*counters)
        ids += [counter.id for counter in counters]
    return app, ids


def _rebuild(app: Application[UUID], ids: list[UUID]) -> float:
    gc.collect()
    begun = time.perf_counter()
    for id in ids:
        counter: Counter = app.repository.get(id)
        assert counter.steps == STEPS - 1
    return time.perf_counter() - begun
