"""The manifests as the log holds them: the latest of each service version."""

from farandole.events.codec import decode
from farandole.events.errors import DecodeError
from farandole.events.manifest import Manifest
from farandole.events.topics import MANIFESTS
from farandole.log.ports import Log
from farandole.log.reading import to_the_end
from farandole.log.record import Record


def read_manifest(record: Record) -> Manifest | None:
    """The manifest of a record of `farandole.manifests`; None where it is none (a tombstone, a stranger's)."""
    try:
        return Manifest.model_validate_json(decode(record.key, record.value, record.headers).data)
    except (DecodeError, ValueError):
        return None


async def read_manifests(log: Log) -> list[Manifest]:
    """The manifests as they stand. Raises LogError."""
    found: dict[str, Manifest] = {}
    reader = await log.reader([MANIFESTS])
    try:
        async for records in to_the_end(log, reader, [MANIFESTS]):
            found |= {m.key: m for m in map(read_manifest, records) if m is not None}
    finally:
        await reader.close()
    return list(found.values())
