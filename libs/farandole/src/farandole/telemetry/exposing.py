"""Puts together what a process shows of itself while it serves: metrics and probes. Loaded only where switched on."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress

from prometheus_client import make_wsgi_app

from farandole.log.standing import Standing
from farandole.telemetry.address import Address
from farandole.telemetry.exposition import ServiceCollector, registry_of
from farandole.telemetry.health import Health
from farandole.telemetry.metrics import MetricsHooks
from farandole.telemetry.serving import Server, probe

LOOK = 1.0  # seconds between two looks at how the steps stand


class Exposing:
    """The metrics and probes of a process that runs services. `hooks`: give them to what runs; `ratio`: of traces."""

    def __init__(self, address: Address, patience: float, ratio: float = 1.0) -> None:
        self.hooks = MetricsHooks(ratio)
        self._address, self._health = address, Health(patience)

    @asynccontextmanager
    async def serving(
        self, standings: Callable[[], Iterable[Standing]], draining: Callable[[], bool], system: str
    ) -> AsyncIterator[Address]:
        """Serve while inside; where that is. `standings` is asked on this event loop, `draining` in any thread.

        `system`: the log's engine. Raises ConfigError where the address cannot be had.
        """
        health, clock = self._health, time.monotonic
        registry = registry_of(ServiceCollector(self.hooks, lambda: health.seen(clock()), system))
        server = Server(
            self._address,
            {
                "/metrics": make_wsgi_app(registry),
                "/livez": probe(lambda: health.alive(clock(), draining=draining())),
                "/readyz": probe(lambda: health.ready(clock(), draining=draining())),
            },
        )
        looking = asyncio.create_task(self._look(standings))
        try:
            yield server.address
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking
            await asyncio.to_thread(server.close)

    async def _look(self, standings: Callable[[], Iterable[Standing]]) -> None:
        while True:
            self._health.look(standings(), time.monotonic())
            await asyncio.sleep(LOOK)
