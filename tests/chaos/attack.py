"""Kills, stops and resumes services by a seed, most of them while they hold a delivery."""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from tests.chaos import looks
from tests.support.stage import Stage

LEASE = 2.0  # seconds; Stage asks the log for it
REST = 5.0  # seconds that a service lives at least: who dies as soon as it starts never finishes anything
LOOK = 0.3  # seconds between two looks at all processes, which cost more than a look at the log
HELD = 0.85  # share of kills that wait for a service with a delivery in flight


@dataclass
class Tally:
    """What was done. `held`: kills that hit a delivery in flight."""

    kills: int = 0
    held: int = 0
    zombies: int = 0
    stopped_inside: int = 0
    victims: dict[str, int] = field(default_factory=dict)


class Attack:
    """Faults against one stage, until `kills` were made."""

    def __init__(self, stage: Stage, kills: int, seed: int) -> None:
        self._stage, self._kills, self._chance = stage, kills, random.Random(seed)
        self._first_seen: dict[int, float] = {}  # by pid
        self._still: set[str] = set()  # stopped for now
        self._running: dict[str, int] = {}
        self._looked = 0.0
        self.tally = Tally()

    async def run(self) -> Tally:
        """Make every kill; every ten a zombie among them, every twenty one that is stopped inside a write."""
        async with asyncio.TaskGroup() as zombies:
            while self.tally.kills < self._kills:
                await asyncio.sleep(self._chance.uniform(0.02, 0.25))
                if not await self._kill():
                    continue
                if self.tally.kills % 10 == 5:
                    zombies.create_task(self._zombie())
                if self.tally.kills % 20 == 10:
                    await self._stop_inside_write()
                if self.tally.kills % 10 == 0:
                    sys.stderr.write(f"kills {self.tally.kills}/{self._kills}, {self.tally.held} in flight\n")
        return self.tally

    async def _kill(self) -> bool:
        wanted = self._chance.random() < HELD
        deadline = time.monotonic() + 10.0
        while True:
            running = self._rested(self._services())
            busy = looks.in_flight(self._stage.log) & running.keys()
            if busy or not wanted or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.02)
        if not running:
            return False
        name = self._victim(busy if busy and wanted else running.keys())
        held = name in looks.in_flight(self._stage.log)  # looked at again: it may have committed meanwhile
        self._looked = 0.0
        with suppress(ProcessLookupError):
            os.kill(running[name], signal.SIGKILL)
            self.tally.kills += 1
            self.tally.held += held
            self.tally.victims[name] = self.tally.victims.get(name, 0) + 1
            return True
        return False

    def _services(self) -> dict[str, int]:
        if time.monotonic() - self._looked > LOOK:
            self._running, self._looked = looks.services(self._stage.up), time.monotonic()
        return self._running

    def _rested(self, running: dict[str, int]) -> dict[str, int]:
        """Those that have lived for a while."""
        now = time.monotonic()
        return {
            name: pid
            for name, pid in running.items()
            if name not in self._still and now - self._first_seen.setdefault(pid, now) > REST
        }

    def _victim(self, names: Iterable[str]) -> str:
        """One of those that were killed least: who dies again and again is started later and later."""
        killed = self.tally.victims
        return min(sorted(names), key=lambda name: (killed.get(name, 0), self._chance.random()))

    async def _zombie(self) -> None:
        """Stop a service until its leases are gone, then let it go on: it must notice."""
        running = looks.services(self._stage.up)
        if not running:
            return
        name = self._chance.choice(sorted(looks.in_flight(self._stage.log) & running.keys() or running))
        self._still.add(name)
        with suppress(ProcessLookupError):  # it held the log's lock, and the others found out
            os.kill(running[name], signal.SIGSTOP)
            await asyncio.sleep(LEASE + 1.5)
            os.kill(running[name], signal.SIGCONT)
            self.tally.zombies += 1
        self._still.discard(name)

    async def _stop_inside_write(self) -> None:
        """Stop whoever holds the log's write lock, and leave it stopped: the others must go on."""
        pid = await asyncio.to_thread(looks.stop_inside_write, self._stage.log, within=5.0)
        if pid is None:
            return
        self.tally.stopped_inside += 1
        deadline = time.monotonic() + 15.0
        while time.monotonic() < deadline:
            if not psutil.pid_exists(pid):
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"process {pid} was stopped inside a write, and nobody found out")
