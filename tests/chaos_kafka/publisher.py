"""Keeps orders in flight: publishes until each is acknowledged, and follows their ends by a plain consumer."""

import asyncio
import json
import random
import time
import uuid

from confluent_kafka import Consumer

from farandole.client import AsyncClient
from tests.chaos_kafka.checker import FIRST, LAST
from tests.support.stage import Stage

AT_ONCE = 40  # orders in flight: enough that a service that is back has work, whichever other one is away
KEYS = 9  # order values
MOST_PARTS = 5


class Publisher:
    """Orders of one stage."""

    def __init__(self, stage: Stage, bootstrap: str, namespace: str, chance: random.Random) -> None:
        self._stage, self._chance = stage, chance
        self._ends = Ends(bootstrap, f"{namespace}.{LAST}")
        self.accepted = 0
        self.refused = 0

    async def run(self, client: AsyncClient, stop: asyncio.Event) -> None:
        """Publish whenever fewer than `AT_ONCE` move."""
        while not stop.is_set():
            while self.accepted - await self._ends.count() < AT_ONCE and not stop.is_set():
                await self._publish(client)

    async def ended(self, within: float) -> int:
        """Wait for the ends of all that were accepted; how many are missing when time is up."""
        deadline = time.monotonic() + within
        while (missing := self.accepted - await self._ends.count()) and time.monotonic() < deadline:
            pass  # counting waits for records
        return missing

    def close(self) -> None:
        """Nothing more is counted."""
        self._ends.close()

    async def _publish(self, client: AsyncClient) -> None:
        """The same id again and again until it is acknowledged: then it is taken once, all the same."""
        number = self.accepted
        data = {"key": f"k{number % KEYS}", "number": number, "parts": self._chance.randint(1, MOST_PARTS)}
        while not await self._stage.publish(client, FIRST, data, f"order-{number}"):
            self.refused += 1
            await asyncio.sleep(0.2)
        self.accepted += 1


class Ends:
    """Counts the orders that have ended."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._settings = {
            "bootstrap.servers": bootstrap,
            "group.id": f"ends-{uuid.uuid4().hex}",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 2,
        }
        self._topic, self._numbers = topic, set[int]()
        self._consumer: Consumer | None = None

    async def count(self) -> int:
        """How many different orders have ended by now."""
        return await asyncio.to_thread(self._count)

    def _count(self) -> int:
        if self._consumer is None:
            self._consumer = Consumer(self._settings)
            self._consumer.subscribe([self._topic])
        for message in self._consumer.consume(500, 0.1):
            if message.error() is None:
                self._numbers.add(json.loads(message.value() or b"")["number"])
        return len(self._numbers)

    def close(self) -> None:
        """Give the consumer back."""
        if self._consumer is not None:
            self._consumer.close()
