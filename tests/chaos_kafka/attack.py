"""Kills, stops and resumes services by a seed, most of them while a step of theirs runs or commits."""

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tests.chaos_kafka import looks
from tests.chaos_kafka.diary import EXPECTED, LATE, NODES, Diary
from tests.chaos_kafka.network import HELD, Network
from tests.support.stage import Stage

REST = 4.0  # seconds that a process lives at least: who dies as soon as it starts never finishes anything
SPARED = EXPECTED + 1.0  # seconds after a fault in which its service is left alone, so that a take-over can be timed
AGAIN = 0.3  # share of kills that spare nobody: who takes over may die of it
LOOK = 0.3  # seconds between two looks at all processes
INSIDE, COMMITTING, EVER = "inside", "committing", "ever"
WAYS = {INSIDE: 0.6, COMMITTING: 0.05, LATE: 0.25, EVER: 0.1}
"""Shares of kills: inside a step; soon after it, as it commits; when the end of its transaction is under way, and will
arrive late; at any time."""
HOLDS = 2.0  # seconds to wait for a transaction to end
COMMIT = 0.04  # seconds that a commit may take
BUSY = 6.0  # seconds to wait for a step that runs; with a node away there may be none
STOPPED = 2.5  # seconds beyond the lease that a zombie is stopped
ZOMBIE_EACH = 4  # kills; every other one is stopped while the end of its transaction is under way
SLOWER = 2.0  # times, while a node is not to be had: a good part of the kills is to stand alone


class Attack:
    """Faults against the services of one stage, until `kills` were made or it is cancelled."""

    def __init__(
        self, stage: Stage, network: Network, marks: Path, diary: Diary, *, kills: int, chance: random.Random
    ) -> None:
        self._stage, self._network, self._marks, self._diary = stage, network, marks, diary
        self._kills, self._chance = kills, chance
        self._first_seen: dict[int, float] = {}  # by pid
        self._still: set[int] = set()  # stopped for now
        self._running: dict[int, str] = {}
        self._looked = 0.0
        self._struck: dict[str, float] = {}  # when last
        self._victims: Counter[str] = Counter()

    async def run(self, lease: float) -> None:
        """Make every kill, and a zombie every few."""
        made = 0
        async with asyncio.TaskGroup() as zombies:
            while made < self._kills:
                pace = SLOWER if self._diary.lasts(NODES) else 1.0
                await asyncio.sleep(pace * self._chance.uniform(0.1, 0.6))
                if not await self._kill():
                    continue
                made += 1
                if made % ZOMBIE_EACH == 0:
                    committing = made % (2 * ZOMBIE_EACH) == 0
                    zombies.create_task(self._zombie(lease + STOPPED, committing=committing))
                if made % 10 == 0:
                    sys.stderr.write(f"kills {made}/{self._kills}, {self._diary.tally()['held']} in flight\n")

    async def _kill(self) -> bool:
        (way,) = self._chance.choices(list(WAYS), list(WAYS.values()))
        spare = self._chance.random() >= AGAIN
        pid = await self._busy(BUSY, spare) if way != EVER else self._choice(self._rested(spare))
        if pid is not None and way == COMMITTING:
            await self._until_it_commits(pid)
        held = pid is not None and way == LATE and await self._hold_commit(pid)
        service = self._running.get(pid or 0)
        if pid is None or service is None or pid in self._still:
            return False
        with suppress(ProcessLookupError), self._diary.fault("kill", service, pid) as kill:
            os.kill(pid, signal.SIGKILL)
            self._victims[service] += 1
            self._struck[service] = time.monotonic()
            self._looked = 0.0
            await asyncio.to_thread(looks.wait_end, pid)
            kill.marks = [mark[1:] for mark in looks.collect(self._marks, pid)]
            kill.committing = held
            return True
        return False

    async def _hold_commit(self, pid: int) -> bool:
        return await self._network.hold_commit(pid, HOLDS, self._chance.uniform(*HELD))

    async def _busy(self, within: float, spare: bool) -> int | None:
        """A process whose step runs, by preference of a service that was killed least."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            rested = self._rested(spare)
            if found := {mark.pid for mark in looks.marks(self._marks)} & rested:
                return self._choice(found)
            await asyncio.sleep(0.01)
        return self._choice(self._rested(spare))

    async def _until_it_commits(self, pid: int) -> None:
        await asyncio.to_thread(looks.wait_mark_gone, self._marks, pid, 1.0)
        await asyncio.sleep(self._chance.uniform(0.0, COMMIT))

    def _rested(self, spare: bool = True) -> set[int]:
        """Processes that have lived for a while, and are not stopped; of services that are spared, none."""
        now = time.monotonic()
        if now - self._looked > LOOK:
            self._running, self._looked = looks.services(self._stage.up), now
        lived = {pid for pid in self._running if now - self._first_seen.setdefault(pid, now) > REST}
        spared = {service for service, at in self._struck.items() if spare and now - at < SPARED}
        return {pid for pid in lived - self._still if self._running[pid] not in spared}

    def _choice(self, pids: Iterable[int]) -> int | None:
        def rank(pid: int) -> tuple[int, float]:
            return self._victims[self._running[pid]], self._chance.random()

        return min(sorted(pids), key=rank, default=None)

    async def _zombie(self, seconds: float, *, committing: bool) -> None:
        """Stop a process until its leases are gone, then let it go on: it must notice. Best one with a twin."""
        busy = {mark.pid for mark in looks.marks(self._marks)} & self._rested() or self._rested()
        twins = Counter(self._running.values())
        pid = max(sorted(busy), key=lambda pid: (twins[self._running[pid]], self._chance.random()), default=None)
        if pid is None:
            return
        service = self._running[pid]
        self._still.add(pid)
        if committing and not await self._hold_commit(pid):
            await self._until_it_commits(pid)
        with suppress(ProcessLookupError), self._diary.fault("zombie", service, pid) as zombie:
            os.kill(pid, signal.SIGSTOP)
            self._struck[zombie.service] = time.monotonic()
            zombie.marks = [mark[1:] for mark in looks.marks(self._marks) if mark.pid == pid]
            try:
                await asyncio.sleep(seconds)
            finally:
                os.kill(pid, signal.SIGCONT)
                self._struck[zombie.service] = time.monotonic()
        self._still.discard(pid)
