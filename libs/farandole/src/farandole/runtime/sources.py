"""Who publishes in this dance: the sources that the manifests name, kept up to date by following their topic."""

from farandole.events.manifest import Manifest
from farandole.events.topics import MANIFESTS
from farandole.log.manifests import read_manifest
from farandole.log.ports import Log, Reader
from farandole.log.reading import to_the_end
from farandole.log.record import Record


class Sources:
    """`known`: every `service/step` of every manifest. An event of another source comes from outside."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.manifests: dict[str, Manifest] = {}
        self._reader: Reader | None = None

    async def follow(self, log: Log) -> None:
        """Read what is there, then keep reading until cancelled."""
        await self.load(log)
        assert self._reader is not None
        while True:
            self._take(await self._reader.poll(timeout=30.0))

    async def load(self, log: Log) -> None:
        """Read what is there now."""
        if self._reader is None:
            self._reader = await log.reader([MANIFESTS])
        async for records in to_the_end(log, self._reader, [MANIFESTS]):
            self._take(records)

    def add(self, manifest: Manifest) -> None:
        """A manifest that was published (or is about to be)."""
        self.manifests[manifest.key] = manifest
        self.known.update(f"{manifest.service}/{step.name}" for step in manifest.steps)

    def _take(self, records: list[Record]) -> None:
        for record in records:
            manifest = read_manifest(record)
            if manifest is not None:
                self.add(manifest)
