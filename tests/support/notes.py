"""Notes for `tests.support.drilled`: published with an acknowledgement journal, waited for, and judged in the end."""

import asyncio
import json
from collections.abc import Iterable

from farandole.client import AsyncClient
from tests.support import judging
from tests.support.drilled import FIRST, LAST, text_of
from tests.support.judging import Dicts, Row
from tests.support.stage import Stage

PATIENCE = 300.0  # seconds, on a machine that does much else


async def publish(stage: Stage, client: AsyncClient, numbers: Iterable[int]) -> None:
    """Notes, acknowledged one by one."""
    for number in numbers:
        data = {"key": f"k{number}", "number": number}
        assert await stage.publish(client, FIRST, data, f"note-{number}")


async def read_of(client: AsyncClient, numbers: Iterable[int]) -> None:
    """Return once these notes were read to their ends. Raises TimeoutError."""
    for number in numbers:
        async with asyncio.timeout(PATIENCE):
            workflow = await client.find(f"note-{number}")
            assert (await client.wait(workflow, timeout=PATIENCE)).status == "complete"


def standing(status: dict[str, Dicts]) -> dict[str, str]:
    """By the id of a note, how its workflow stands, as `farandole status` tells it."""
    return {workflow["inputs"][0]["id"]: workflow["status"] for workflow in status["workflows"]}


def judge(stage: Stage, log: tuple[list[Row], Dicts, Dicts]) -> None:
    """Each acknowledged note was read exactly once, as it was kept. `log`: as a checker reads it, raw."""
    rows, facts, manifests = log
    acks = [json.loads(line) for line in stage.acks.read_text().splitlines()]
    assert acks
    assert judging.lost(rows, facts, manifests, acks) == []
    assert judging.twice(rows, facts, {"stage"}) == []
    assert judging.ended_once(rows, LAST, acks) == []
    ends = [json.loads(row.value) for row in rows if row.topic == LAST]
    assert [end["text"] for end in ends] == [text_of(end["number"]) for end in ends]
