"""Which assets are spoken of: by any record of a log, whatever it is, and by the tables that users keep."""

import json
import re
from collections.abc import Callable

from sqlalchemy import MetaData, select
from sqlalchemy.ext.asyncio import AsyncConnection

from farandole.log.ports import Log
from farandole.log.reading import to_the_end
from farandole_observe.store import tables

_URI = re.compile(rb"asset:sha256\\?/([0-9a-f]{64})")  # some write a slash in JSON with a backslash
_OURS = (frozenset(tables.metadata.tables) | {"alembic_version"}) - {tables.snapshot_rows.name}


async def in_log(log: Log, told: Callable[[int], None]) -> set[bytes]:
    """Digests that stand in any record: events, rows of states, commands, dead letters. `told`: records so far."""
    names = [spec.name for spec in await log.topics()]
    found, number = set[bytes](), 0
    reader = await log.reader(names)
    try:
        async for records in to_the_end(log, reader, names):
            for record in records:
                found |= _digests(record.value or b"")
            number += len(records)
            told(number)
    finally:
        await reader.close()
    return found


async def in_tables(connection: AsyncConnection) -> set[bytes]:
    """Digests that stand in the tables of users' projections, in their snapshots, and in whatever else is there."""
    there = MetaData()
    await connection.run_sync(there.reflect)
    found = set[bytes]()
    for table in there.sorted_tables:
        if table.name not in _OURS:
            for row in await connection.execute(select(table)):
                found |= _digests(json.dumps(list(row), default=str).encode())
    return found


def _digests(text: bytes) -> set[bytes]:
    return {bytes.fromhex(digest.decode()) for digest in _URI.findall(text)}
