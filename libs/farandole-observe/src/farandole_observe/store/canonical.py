"""One hash for equal tables: for comparing two ways of folding, two databases, or two copies of a log."""

import json
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from farandole_observe.store import tables

_PLACE = frozenset({"at_topic", "at_partition", "at_offset"})
_LEFT_OUT = {
    tables.workflows: frozenset({"shard", "started", "updated", "events", "deliveries"}),
    tables.events: _PLACE | {"time"},
    tables.deliveries: _PLACE | {"since", "partition"},
    tables.groups: frozenset({"since"}),
    tables.step_minutes: frozenset({"shard"}),
    tables.durations: frozenset({"shard"}),
    tables.workers: frozenset({"shard"}),
}
"""Positions, append times, what may stand for one of them, and how many numbers were given."""
_NUMBERED = {"event": "events", "delivery": "deliveries", "given_by": "deliveries"}


async def canonical(connection: AsyncConnection) -> str:
    """SHA-256 (hex) over the rows of every table, without log positions and append times."""
    digest = sha256()
    names = {"events": await _events(connection), "deliveries": dict[Any, Any]()}
    names["deliveries"] = await _deliveries(connection, names["events"])
    for table in (tables.manifests, tables.workflows, *tables.OF_A_WORKFLOW, *_ADDED):
        digest.update(table.name.encode())
        async for line in _lines(connection, table, names):
            digest.update(line.encode())
    return digest.hexdigest()


_ADDED = (tables.step_minutes, tables.durations, tables.workers)


async def _events(connection: AsyncConnection) -> dict[Any, Any]:
    t = tables.events.c
    found = await connection.execute(select(t.workflow, t.event, t.source, t.id))
    return {(workflow, number): [source, event_id] for workflow, number, source, event_id in found}


async def _deliveries(connection: AsyncConnection, events: dict[Any, Any]) -> dict[Any, Any]:
    t = tables.deliveries.c
    found = await connection.execute(select(t.workflow, t.delivery, t.event, t.key, t.group))
    return {(w, number): [events.get((w, event)), key, group] for w, number, event, key, group in found}


async def _lines(connection: AsyncConnection, table: Table, names: dict[str, dict[Any, Any]]) -> AsyncIterator[str]:
    left_out = _LEFT_OUT.get(table, frozenset())
    lines: list[str] = []
    for row in (await connection.execute(select(table))).mappings():
        said = {}
        for column, value in row.items():
            if column in left_out:
                continue
            if column in _NUMBERED and value is not None:
                said[column] = names[_NUMBERED[column]][row["workflow"], value]
            else:
                said[column] = int(value) if isinstance(value, bool) else value
        lines.append(json.dumps(said, sort_keys=True, separators=(",", ":")))
    for line in sorted(lines):
        yield line
