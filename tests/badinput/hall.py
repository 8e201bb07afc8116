"""A folder with a SQLite log that a service has been at, and the command line in it; no process is started."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from structlog.testing import capture_logs

from farandole.client import AsyncClient
from farandole.engines.open import open_log
from farandole.events.event import Event
from farandole.log.hooks import Commit, Ended, Ending
from farandole.log.ports import Log
from farandole.log.record import NewRecord
from farandole.runtime.declare import Service
from farandole.runtime.host import Host, Options
from farandole.telemetry.compose import compose
from farandole.telemetry.logging import LoggingHooks
from tests.cli.project import Project

_PATIENCE = 30.0  # seconds in which a service must have ended all that it was given


class Came(Event, type="bad.came", key="k"):
    k: str
    n: float = 0.0
    when: str = ""


class Went(Event, type="bad.went", key="k", final=True):
    k: str


service = Service("bad", accepts=[Came])


@service.step
async def let_go(came: Came) -> Went:
    return Went(k=came.k)


@dataclass(frozen=True)
class Hall:
    """`farandole` runs one command; `serve` lets the service at the log until it has ended some attempts."""

    folder: Path

    @property
    def url(self) -> str:
        """Of the log."""
        return f"sqlite:///{self.folder}/var/log.db"

    @classmethod
    def make(cls, folder: Path) -> "Hall":
        """The log knows the service; nothing was published yet."""
        (folder / "var").mkdir()
        hall = cls(folder)
        (folder / "farandole.toml").write_text(f'log = "{hall.url}"\n')
        hall.serve([], 0)
        return hall

    def farandole(self, *args: str) -> "CompletedProcess[str]":
        """One command line, within this process."""
        return Project(self.folder).main(*args)

    def serve(self, records: Sequence[NewRecord], attempts: int, *, dead: int | None = None) -> list[dict[str, Any]]:
        """Append the records and serve until so many attempts have ended (and so many deliveries stand dead).

        Gives the lines that were logged.
        """
        with capture_logs() as lines:
            asyncio.run(self._serve(records, attempts, dead))
        return [dict(line) for line in lines]

    async def _serve(self, records: Sequence[NewRecord], attempts: int, dead: int | None) -> None:
        count, stop, begun = _Count(attempts), asyncio.Event(), asyncio.Event()
        log = await open_log(self.url)
        host = Host(service, log, hooks=compose([LoggingHooks(), count]), options=Options(partitions=1, grace=5.0))
        running = asyncio.create_task(host.run(stop, begun))
        try:
            async with asyncio.timeout(_PATIENCE):
                await begun.wait()
                await _until(lambda: _serves(log))
                if records:
                    await log.append(records)
                await count.reached.wait()
                if dead is not None:
                    client = AsyncClient(log)
                    await _until(lambda: _stand_dead(client, dead))
        finally:
            stop.set()
            await running
            await log.close()


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    while not await holds():  # noqa: ASYNC110 - what is waited for is told by the log only
        await asyncio.sleep(0.02)


async def _serves(log: Log) -> bool:
    return bool((await log.leases()).get("bad/let-go"))


async def _stand_dead(client: AsyncClient, number: int) -> bool:
    return len(await client.dead()) == number


@dataclass
class _Count:
    """Hooks that wait for a number of attempts to end."""

    left: int
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    running: Callable[[object], contextlib.nullcontext[None]] = lambda _: contextlib.nullcontext()

    def __post_init__(self) -> None:
        if self.left <= 0:
            self.reached.set()

    def hears(self, ending: Ending) -> bool:
        """Of every one."""
        return True

    def ended(self, ended: Ended) -> None:
        """One fewer."""
        self.left -= 1
        if self.left <= 0:
            self.reached.set()

    def committed(self, commit: Commit) -> None:
        """Of no interest."""

    def noted(self, event: str, **fields: object) -> None:
        """Of no interest."""
