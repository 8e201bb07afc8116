"""Run inside a container, by its Python: `scenes.py publish COUNT` tells of scenes of a sensor that nobody declared,
`scenes.py refused` prints as JSON which of them were refused, as often as the log says it.
"""

import asyncio
import json
import os
import sys

from farandole.client import AsyncClient
from farandole.testing.history import read_history


async def publish(count: int) -> None:
    """A quick answer each: what matters is that there is one."""
    async with AsyncClient(os.environ["FARANDOLE_LOG"]) as client:
        for number in range(count):
            data = {"scene_id": f"s{number}", "sensor": "unknown", "bands": {}, "received": "2026-01-01T00:00:00Z"}
            await client.publish("scene.received", data, id=str(number))


async def refused() -> None:
    """Sorted keys of what was published of them."""
    async with AsyncClient(os.environ["FARANDOLE_LOG"]) as client:
        found = (await read_history(client.log)).records.get("scene.rejected", [])
    print(json.dumps(sorted(record.key.decode() for record in found if record.key)))


asyncio.run(publish(int(sys.argv[2])) if sys.argv[1] == "publish" else refused())
