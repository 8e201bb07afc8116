"""What was done to the dance and when, kept in a file so that a run that is cut off can be looked at."""

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.kafka.proxy import Deed

EXPECTED = 10.0
"""Seconds: how long a take-over may last; a node that is lost later than so is no excuse."""
CUT = "cut"
LATE = "late commit"
"""Of a process that is killed: what ends its transaction reaches the brokers as its successor fences it."""
LOSSES: tuple[Deed, ...] = ("lose request", "lose answer", "delay")
KILL, STOP, ROLLING = "broker kill", "broker stop", "rolling restart"
BROKERS = (KILL, STOP, ROLLING)
"""Kinds of faults during which a node is down, or stands still."""
NODES = (*BROKERS, CUT)
"""Kinds of faults during which a node is not to be had."""


@dataclass
class Entry:
    """One fault. Times: seconds since the epoch, as the brokers stamp records; `end` 0 while it lasts.

    `marks`: [service, number, part] of each step that ran in the process when it was struck. `committing`: whether what
    ends its transaction was under way.
    """

    kind: str
    begin: float
    service: str = ""
    pid: int = 0
    end: float = 0.0
    marks: list[tuple[str, int, int]] = field(default_factory=list)
    committing: bool = False


class Diary:
    """Faults in the order of their beginning; each is written down when it is over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begun = asyncio.Event()
        self.entries: list[Entry] = []

    @contextmanager
    def fault(self, kind: str, service: str = "", pid: int = 0) -> Iterator[Entry]:
        """A fault that lasts as long as the block."""
        entry = Entry(kind, time.time(), service, pid)
        self.entries.append(entry)
        self._begun.set()
        try:
            yield entry
        finally:
            entry.end = time.time()
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(vars(entry)) + "\n")
                file.flush()
                os.fsync(file.fileno())

    def count(self, kind: str) -> int:
        """Faults of a kind, those that last included."""
        return sum(entry.kind == kind for entry in self.entries)

    async def reached(self, kind: str, times: int) -> None:
        """Wait until so many faults of a kind have begun."""
        while self.count(kind) < times:
            self._begun.clear()
            await self._begun.wait()

    def lasts(self, kinds: Collection[str]) -> bool:
        """Whether a fault of one of these kinds is under way."""
        return any(entry.kind in kinds and not entry.end for entry in self.entries)

    def tally(self) -> dict[str, Any]:
        """How many of each kind, and of the kills: whom they hit, and how many hit a delivery in flight."""
        kills = [entry for entry in self.entries if entry.kind == "kill"]
        return {
            **Counter(entry.kind for entry in self.entries),
            LATE: sum(kill.committing for kill in kills),
            "held": sum(bool(kill.marks) or kill.committing for kill in kills),
            "victims": dict(sorted(Counter(kill.service for kill in kills).items())),
        }
