"""What a projector tells Prometheus, with its probes. Loaded only where metrics are switched on."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from prometheus_client import make_wsgi_app
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from farandole.events.errors import LogUnavailable
from farandole.log.ports import Log
from farandole.telemetry.address import Address
from farandole.telemetry.exposition import Described, registry_of
from farandole.telemetry.health import LOOP_PATIENCE, Verdict
from farandole.telemetry.serving import Server, probe
from farandole_observe.projector.replica import Replica
from farandole_observe.questions.asking import picture
from farandole_observe.questions.fleet import Fleet, fleet
from farandole_observe.store.opening import Store

EVERY = 5.0
"""Seconds between two readings of the figures."""
_LOOK = 1.0
_STEP = ("service", "step")
CATALOGUE = {
    described.name: described
    for described in (
        Described("farandole_fleet_workflows", "gauge", ("status",), "Workflows by how they stand"),
        Described("farandole_fleet_dead_letters", "gauge", (*_STEP, "reason"), "Dead letters that stand"),
        Described("farandole_fleet_stuck", "gauge", (*_STEP, "kind"), "What does not go on as it should"),
        Described("farandole_fleet_owed", "gauge", _STEP, "Deliveries without an outcome"),
        Described("farandole_fleet_owed_oldest_seconds", "gauge", _STEP, "For how long the oldest of them is owed"),
        Described("farandole_fleet_open_groups", "gauge", _STEP, "Groups and joins that lack members"),
        Described(
            "farandole_fleet_lag_offsets",
            "gauge",
            _STEP,
            "Offsets of its topics and its inbox that the step has yet to read",
        ),
        Described("farandole_fleet_workers", "gauge", _STEP, "Workers that lease a partition of the step"),
        Described(
            "farandole_fleet_worker_seen_timestamp_seconds",
            "gauge",
            ("service",),
            "When a worker last ended an attempt",
        ),
        Described("farandole_projection_lag_seconds", "gauge", (), "Since when something of the log is not folded"),
        Described("farandole_projection_figures_age_seconds", "gauge", (), "How old the figures of the fleet are"),
        Described("farandole_projection_shards", "gauge", (), "Shards that this replica holds"),
        Described("farandole_projection_cut_offsets", "counter", (), "Offsets that were gone before they were folded"),
    )
}
"""By name; documented in docs/observing.md, and frozen by a test."""


class Figures(Collector):
    """The last figures, and how this replica does. Written on the event loop, read in any thread."""

    def __init__(self, replica: Replica, patience: float) -> None:
        self._replica, self._patience = replica, patience
        self._begun = self._looked = self._turned = self._read = time.monotonic()
        self._turns = -1
        self._fleet: Fleet | None = None
        self.draining = False

    def look(self) -> None:
        """The event loop answers; whether the replica takes its turns."""
        self._looked = time.monotonic()
        if self._replica.turns != self._turns:
            self._turns, self._turned = self._replica.turns, self._looked

    def put(self, found: Fleet) -> None:
        """Newer figures."""
        self._fleet, self._read = found, time.monotonic()

    # -- probes ---------------------------------------------------------------------------------------------

    def alive(self) -> Verdict:
        """It takes turns: those that fold, and those that wait for a log or a store that cannot be reached."""
        now = time.monotonic()
        if now - self._looked > min(self._patience, LOOP_PATIENCE):
            return Verdict(False, (f"the event loop has not answered for {now - self._looked:.0f} s",))
        if now - self._turned > self._patience and not self.draining:
            return Verdict(False, (f"the replica has not finished a turn for {now - self._turned:.0f} s",))
        return Verdict(True)

    def ready(self) -> Verdict:
        """It holds its share of the shards, which may be none."""
        if self.draining:
            return Verdict(False, ("draining: it is being stopped",))
        return Verdict(True) if self._replica.shares else Verdict(False, ("waits for its share of the shards",))

    # -- metrics --------------------------------------------------------------------------------------------

    def describe(self) -> list[Metric]:
        """What there is, without data."""
        return [described.family() for described in CATALOGUE.values()]

    def collect(self) -> Iterator[Metric]:
        """Every family; those of the fleet are empty before the first reading."""
        families = {name: described.family() for name, described in CATALOGUE.items()}
        families["farandole_projection_shards"].add_metric((), len(self._replica.held))
        families["farandole_projection_figures_age_seconds"].add_metric((), time.monotonic() - self._read)
        lag = time.monotonic() - (self._begun if self._fleet is None or self._fleet.age is None else self._read)
        if self._fleet is not None:
            lag += self._fleet.age or 0.0
            _fill(families, self._fleet)
        families["farandole_projection_lag_seconds"].add_metric((), lag)
        yield from families.values()


def _fill(families: dict[str, Any], found: Fleet) -> None:
    families["farandole_projection_cut_offsets"].add_metric((), found.cut)
    for status, number in found.workflows.items():
        families["farandole_fleet_workflows"].add_metric((status,), number)
    for service, seen in found.seen.items():
        families["farandole_fleet_worker_seen_timestamp_seconds"].add_metric((service,), seen)
    for rate in found.rates:
        families["farandole_fleet_owed"].add_metric(_parts(rate.step), rate.owed)
        families["farandole_fleet_workers"].add_metric(_parts(rate.step), len(rate.workers))
        families["farandole_fleet_lag_offsets"].add_metric(_parts(rate.step), rate.lag or 0)
    for name, by_step in (
        ("farandole_fleet_owed_oldest_seconds", found.owed_oldest),
        ("farandole_fleet_open_groups", found.open_groups),
    ):
        for step, value in by_step.items():
            families[name].add_metric(_parts(step), value)
    for name, by_word in (("farandole_fleet_dead_letters", found.dead), ("farandole_fleet_stuck", found.stuck)):
        for (step, word), number in by_word.items():
            families[name].add_metric((*_parts(step), word), number)


def _parts(step: str) -> tuple[str, str]:
    service, slash, name = step.partition("/")
    return service, name if slash else service


@asynccontextmanager
async def serving(
    address: Address, replica: Replica, store: Store, log: Log, patience: float
) -> AsyncIterator[tuple[Address, Figures]]:
    """Serve metrics and probes while inside. Raises ConfigError where the address cannot be had."""
    figures = Figures(replica, patience)
    routes = {
        "/metrics": make_wsgi_app(registry_of(figures)),
        "/livez": probe(figures.alive),
        "/readyz": probe(figures.ready),
    }
    server = Server(address, routes)
    tasks = [asyncio.create_task(_look(figures)), asyncio.create_task(_read(figures, store, log))]
    try:
        yield server.address, figures
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        await asyncio.to_thread(server.close)


async def _look(figures: Figures) -> None:
    while True:
        figures.look()
        await asyncio.sleep(_LOOK)


async def _read(figures: Figures, store: Store, log: Log) -> None:
    """Read the figures again and again; where log or store cannot be reached, the old ones grow older."""
    say = structlog.get_logger("farandole_observe")
    while True:
        try:
            async with picture(store, log.clock.now()) as seen:
                figures.put(await fleet(seen, log))
        except (LogUnavailable, SQLAlchemyError, OSError) as error:
            say.warning("the figures cannot be read", reason=str(error).splitlines()[0])
        await asyncio.sleep(EVERY)
