"""How fast one projector folds facts into tables, and how large these grow, in SQLite and in PostgreSQL."""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import asyncpg

from farandole.engines.open import open_log
from tests.bench_observe import chains
from tests.support.postgres import fresh_database, postgres

STEPS = 5
FACTS = 50_000
_WARM = 2_000  # facts that are folded first: imports, and empty tables
Size = Callable[[], Awaitable[int]]


class Folded(NamedTuple):
    """`size`: bytes that the tables grew by; `memory`: bytes that the projector holds of its own."""

    database: str
    facts: int
    seconds: float
    size: int
    memory: float


def folded(facts: int, rounds: int) -> list[Folded]:
    """Each round into new tables, the databases in turn."""
    with tempfile.TemporaryDirectory(prefix="farandole-bench-") as name, postgres() as server:
        folder = Path(name)
        found = []
        for number in range(rounds):
            found.append(_into_sqlite(folder, number, facts))
            found.append(_into_postgres(folder, server, number, facts))
    return found


def _into_sqlite(folder: Path, number: int, facts: int) -> Folded:
    tables = folder / f"tables-{number}.db"
    log = f"sqlite:///{folder / f'a-{number}.db'}"
    return asyncio.run(_folded("SQLite", log, f"sqlite:///{tables}", facts, partial(_sqlite_size, tables)))


def _into_postgres(folder: Path, server: str, number: int, facts: int) -> Folded:
    database = asyncio.run(fresh_database(server))
    log = f"sqlite:///{folder / f'b-{number}.db'}"
    return asyncio.run(_folded("PostgreSQL", log, database, facts, partial(_postgres_size, database)))


async def _folded(database: str, log_url: str, store: str, facts: int, size: Size) -> Folded:
    log = await open_log(log_url)
    await chains.prepare(log, STEPS)
    with _projector(log_url, store) as projector:
        await chains.write(log, range(_WARM // STEPS), STEPS)
        projector.go()
        before = await size()
        await chains.write(log, range(_WARM // STEPS, (_WARM + facts) // STEPS), STEPS)
        await log.close()
        seconds, memory = projector.go()
    found = Folded(database, facts, seconds, await size() - before, memory)
    sys.stderr.write(f"{database}: {facts / seconds:,.0f} facts/s, {found.size / facts:.0f} B a fact\n")
    return found


async def _sqlite_size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))


async def _postgres_size(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("SELECT pg_database_size(current_database())"))
    finally:
        await connection.close()


class _Projector:
    """A process that folds to the end when told to."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def go(self) -> tuple[float, float]:
        """Seconds that it took, and bytes that it holds then. Raises RuntimeError where it has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        begun = time.perf_counter()
        self._process.stdin.write("on\n")
        self._process.stdin.flush()
        said = self._process.stdout.readline()
        if not said:
            raise RuntimeError("the projector has ended")
        return time.perf_counter() - begun, float(said) * 2**20


@contextmanager
def _projector(log: str, store: str) -> Iterator[_Projector]:
    command = [sys.executable, "-m", "tests.bench_observe.folder", log, store]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield _Projector(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
