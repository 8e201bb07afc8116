"""Which workflow a name means: its id, a unique prefix of it, its input's id, or `type:key` of an input."""

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from farandole.events.edge import check_id
from farandole.events.errors import BadInput, NotFound
from farandole_observe.store.tables import events, workflows

SHORTEST_PREFIX = 4
_NAMED = 6  # workflows that are looked for; five of them are named


async def find(connection: AsyncConnection, name: str) -> str:
    """The workflow's id. Raises NotFound, or BadInput where there are several."""
    check_id(name, "workflow")
    for ways in _ways(name):
        found = list(dict.fromkeys(str(row[0]) for row in await connection.execute(ways.limit(_NAMED))))
        if len(found) > 1:
            several = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
            raise BadInput(f"{name[:80]!r} means several workflows: {several}; write more of the id")
        if found:
            return found[0]
    raise NotFound(
        f"no workflow {name[:80]!r} in this log; give its id, at least {SHORTEST_PREFIX} characters of it, "
        "its input's id, or type:key of its input"
    )


def _ways(name: str) -> list[Select[tuple[str]]]:
    known = select(workflows.c.workflow).where(workflows.c.counted > 0)
    inputs = select(events.c.workflow).where(events.c.given_by.is_(None), events.c.counted).distinct()
    ways = [known.where(workflows.c.workflow == name), inputs.where(events.c.id == name)]
    event_type, colon, key = name.partition(":")
    if colon:
        typed = (events.c.topic == event_type) | (events.c.type == event_type)
        ways.append(inputs.where(typed, events.c.key == key))
    elif len(name) >= SHORTEST_PREFIX:
        first, last = workflows.c.workflow >= name, workflows.c.workflow < name + "\U0010ffff"
        ways.append(known.where(first, last).order_by(workflows.c.workflow))
    return ways
