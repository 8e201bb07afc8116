"""From a URL to who looks after the log there: what makes its topics, and what finds out whether it is well."""

import asyncio
import importlib
from collections.abc import Sequence

from farandole.engines.open import open_log, sqlite_path
from farandole.engines.sqlite import doctor as sqlite
from farandole.events.errors import BadInput
from farandole.log.care import Change, Finding, Keeper, Kinds, Right, Wish, changes_of_shape
from farandole.log.ports import Log
from farandole.log.record import TopicSpec


async def open_keeper(url: str) -> Keeper:
    """It is to be closed. Raises ConfigError, LogFormatError, LogUnavailable as `open_log` does."""
    scheme = url.partition(":")[0].lower()
    if scheme == "kafka":
        module = importlib.import_module("farandole.engines.kafka.applying")  # its clients are slow to load
        keeper: Keeper = await module.KafkaKeeper.open(url)
        return keeper
    if scheme == "memory":
        raise BadInput("--log memory: ends with its process; its topics are made by the service that uses it")
    return FileKeeper(url)


async def examine(url: str, kinds: Kinds, wanted: Sequence[Right] | None = None) -> list[Finding]:
    """Whether the log there is well; nothing is written. Raises ConfigError for the URL and what belongs to it.

    `wanted`: rights that whoever asks has to have, where the log knows of rights.
    """
    scheme = url.partition(":")[0].lower()
    if scheme == "kafka":
        module = importlib.import_module("farandole.engines.kafka.doctor")
        found: list[Finding] = await module.examine(url, kinds, wanted)
        return found
    if wanted is not None:
        raise BadInput(f"--log {scheme}: knows of no rights; leave the services out, or name a kafka:// log")
    path = sqlite_path(url)
    if path is None:
        raise BadInput(f"--log {scheme}: nothing is to be examined; name a sqlite:/// or a kafka:// log")
    return await asyncio.to_thread(sqlite.examine, path)


class FileKeeper:
    """Implements `Keeper` for the embedded log; the file is not made by looking."""

    def __init__(self, url: str) -> None:
        self._url, self._path = url, sqlite_path(url)
        self._log: Log | None = None

    async def topics(self) -> list[TopicSpec]:
        """See `Keeper.topics`."""
        if self._log is None and self._path is not None and not self._path.exists():
            return []
        return await (await self._open()).topics()

    async def compare(self, wish: Wish) -> list[Change]:
        """See `Keeper.compare`."""
        for name, given in (("--replication", wish.replication), ("--retention", wish.retention)):
            if given is not None:
                raise BadInput(f"{name}: the embedded log keeps one copy, for ever; leave it out, or use kafka://")
        return changes_of_shape(wish.specs, await self.topics())

    async def apply(self, wish: Wish, changes: Sequence[Change]) -> None:
        """See `Keeper.apply`."""
        missing = {change.topic for change in changes if change.action == "create"}
        await (await self._open()).ensure([spec for spec in wish.specs if spec.name in missing])

    async def close(self) -> None:
        """See `Keeper.close`."""
        if self._log is not None:
            await self._log.close()

    async def _open(self) -> Log:
        if self._log is None:
            self._log = await open_log(self._url)
        return self._log
