"""Assets that events carry: which those are, and which events of the log carry one."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from farandole.events.asset import URI_PATTERN, asset_uri, is_asset_uri
from farandole.events.codec import decode
from farandole.events.envelope import Envelope
from farandole.events.errors import BadInput, DecodeError
from farandole.events.ids import workflow_id
from farandole.log.ports import Log
from farandole.log.reading import to_the_end

SCHEME = "asset:"
SHORTEST = 8
"""Hex digits of an asset's name that have to be given."""
_BATCH = 5_000
_DIGITS = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Carried:
    """An asset as it stands in an event. `size` (bytes) and `media_type` where the event tells them."""

    uri: str
    size: int | None
    media_type: str | None


@dataclass(frozen=True, slots=True)
class Carrier:
    """An event that carries an asset, and its workflow."""

    workflow: str
    source: str
    id: str
    asset: str


def carried(data: bytes) -> tuple[Carried, ...]:
    """The assets in an event's data, each once, in their order; none where the data is no JSON."""
    if SCHEME.encode() not in data:
        return ()
    try:
        value = from_json(data)
    except ValueError:
        return ()
    found: dict[str, Carried] = {}
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            uri = one.get("uri")
            if isinstance(uri, str) and is_asset_uri(uri):
                found.setdefault(uri, _of(uri, one))
            stack.extend(reversed(one.values()))
        elif isinstance(one, list):
            stack.extend(reversed(one))
        elif isinstance(one, str) and is_asset_uri(one):
            found.setdefault(one, Carried(one, None, None))
    return tuple(found.values())


def _of(uri: str, fields: dict[str, Any]) -> Carried:
    size, media_type = fields.get("size"), fields.get("media_type")
    return Carried(uri, size if isinstance(size, int) else None, media_type if isinstance(media_type, str) else None)


def check_asset(name: str) -> str:
    """The URI, whole or its beginning, that a name of an asset means. Raises BadInput."""
    digits = name.removeprefix(asset_uri(""))
    if digits == name or not SHORTEST <= len(digits) <= 64 or not _DIGITS.issuperset(digits):
        shape = URI_PATTERN.strip("^$")
        raise BadInput(f"{name[:80]!r} names no asset: give {shape}, of which {SHORTEST} hex digits are enough")
    return name


async def carriers(
    log: Log, topics: Sequence[str], asset: str, *, since: float = 0.0, tell: Callable[[int, int], None]
) -> list[Carrier]:
    """The events of these topics, taken at or after `since` (seconds), that carry an asset; in the log's order.

    `asset`: as `check_asset` gives it. Reads the topics whole, for nothing else knows; `tell` is given how many
    records were read, of how many. Raises BadInput where the asset's beginning means several, LogError.
    """
    found: dict[tuple[str, str], Carrier] = {}
    async for envelope in _naming(log, topics, asset, since, tell):
        for one in carried(envelope.data):
            if one.uri.startswith(asset):
                workflow = envelope.workflow or workflow_id(envelope.source, envelope.id)
                carrier = Carrier(workflow, envelope.source, envelope.id, one.uri)
                found.setdefault((envelope.source, envelope.id), carrier)
    several = sorted({carrier.asset for carrier in found.values()})
    if len(several) > 1:
        raise BadInput(f"{asset} means several assets: {', '.join(several[:5])}; write more of it")
    return list(found.values())


async def _naming(
    log: Log, topics: Sequence[str], asset: str, since: float, tell: Callable[[int, int], None]
) -> AsyncIterator[Envelope]:
    spans = await log.spans(topics)
    start = {place: await log.offset_at(*place, since) if since else span.start for place, span in spans.items()}
    whole, read = sum(max(0, span.end - start[place]) for place, span in spans.items()), 0
    digits = asset.rpartition("/")[2].encode()  # a foreign writer may have escaped the slash
    reader = await log.reader(list(topics), start)
    try:
        async for records in to_the_end(log, reader, list(topics), limit=_BATCH):
            read += len(records)
            tell(read, whole)
            for record in records:
                if record.value is not None and digits in record.value:
                    try:
                        yield decode(record.key, record.value, record.headers)
                    except DecodeError:
                        continue  # a dead letter tells of it, and it carries nothing on
    finally:
        await reader.close()
