"""What a service tells Prometheus: every metric with its type, labels and meaning, and the page made of them.

Labels hold declared names only (services, steps, versions, and the words that stand in `tally` and `standing`), so
that no key, workflow or error makes a series. Loaded only where metrics are switched on.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from farandole.events.ids import trace_id
from farandole.log.standing import Standing
from farandole.telemetry.metrics import MetricsHooks
from farandole.telemetry.tally import Spread, Tally

Kind = Literal["counter", "gauge", "histogram"]


class Described(NamedTuple):
    """One metric; a counter's name is shown with `_total`."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str

    @property
    def shown(self) -> str:
        """As it stands on the page, and in queries (a histogram's with a suffix more)."""
        return f"{self.name}_total" if self.kind == "counter" else self.name

    def family(self) -> Any:
        """An empty family of it."""
        unit = "seconds" if self.name.endswith("_seconds") else ""
        if self.kind == "histogram":
            return HistogramMetricFamily(self.name, self.meaning, labels=self.labels, unit=unit)
        kind = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        return kind(self.name, self.meaning, labels=self.labels, unit=unit)


_STEP = ("service", "step")
_MESSAGING = (*_STEP, "messaging_system", "messaging_operation_name")
_DURATION = "messaging_process_duration_seconds"
_OPERATION = "messaging_client_operation_duration_seconds"
CATALOGUE = {
    described.name: described
    for described in (
        Described("farandole_service_info", "gauge", ("service", "version"), "Which version runs here; always 1"),
        Described(_DURATION, "histogram", (*_MESSAGING, "ending"), "Time that attempts took, by how they ended"),
        Described(_OPERATION, "histogram", _MESSAGING, "Time that commits took"),
        Described("messaging_client_consumed_messages", "counter", _MESSAGING, "Records that were polled"),
        Described(
            "messaging_client_sent_messages", "counter", _MESSAGING, "Events, absences and dead letters published"
        ),
        Described("farandole_commit_records", "histogram", _STEP, "Records of a commit, rows and facts among them"),
        Described("farandole_outcomes", "counter", (*_STEP, "ending"), "Durable outcomes, by how they ended"),
        Described("farandole_dead_letters", "counter", (*_STEP, "reason"), "Deliveries that became dead letters"),
        Described("farandole_lease_changes", "counter", (*_STEP, "change"), "Partitions that came and went"),
        Described("farandole_lag_seconds", "gauge", _STEP, "Age of the oldest event in flight; 0 where there is none"),
        Described("farandole_stalled_seconds", "gauge", _STEP, "Time since work that is there last moved; 0: it moves"),
        Described("farandole_in_flight", "gauge", _STEP, "Deliveries under way, from the poll to the commit"),
        Described("farandole_running", "gauge", _STEP, "Deliveries that are run, or are next to be"),
        Described("farandole_concurrency", "gauge", _STEP, "Attempts that may run at once in this process"),
        Described("farandole_rows", "gauge", (*_STEP, "kind"), "Rows of what is still owed, and of closed groups"),
        Described("farandole_open_groups", "gauge", _STEP, "Groups and joins that lack members"),
        Described("farandole_leased_partitions", "gauge", _STEP, "Partitions that this process holds"),
        Described("farandole_paused_partitions", "gauge", _STEP, "Partitions not polled, for too much is owed"),
    )
}
"""By name; what is here is documented in docs/observing.md, and frozen by a test."""

Seen = Callable[[], Sequence[tuple[Standing, float]]]
"""How each step of this process stands, and for how many seconds its work has not moved; called in any thread."""


def registry_of(*collectors: Collector) -> CollectorRegistry:
    """A registry of our own, with what the process itself uses up."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    for collector in collectors:
        registry.register(collector)
    return registry


class ServiceCollector(Collector):
    """Makes the families of the catalogue, of what hooks have counted and of how the steps stand.

    `system`: the engine, as OpenTelemetry names messaging systems.
    """

    def __init__(self, hooks: MetricsHooks, seen: Seen, system: str) -> None:
        self._hooks, self._seen, self._system = hooks, seen, system

    def describe(self) -> list[Metric]:
        """What there is, without data."""
        return [described.family() for described in CATALOGUE.values()]

    def collect(self) -> Iterator[Metric]:
        """Every family, in the order of the catalogue."""
        families = {name: described.family() for name, described in CATALOGUE.items()}
        for standing, stalled in self._seen():
            self._hooks.tally(standing.service, standing.step)  # one that has not worked yet shows zeros
            self._stand(families, standing, stalled)
        for step, tally in list(self._hooks.steps.items()):
            self._count(families, step, tally)
        yield from families.values()

    def _stand(self, families: dict[str, Any], standing: Standing, stalled: float) -> None:
        step = (standing.service, standing.step)
        info = families["farandole_service_info"]
        labels = {"service": standing.service, "version": standing.version}
        if not any(sample.labels == labels for sample in info.samples):
            info.add_metric(tuple(labels.values()), 1)
        polled = families["messaging_client_consumed_messages"]
        polled.add_metric(self._messaging(step, "poll"), standing.taken)
        for name, value in (
            ("farandole_lag_seconds", standing.lag),
            ("farandole_stalled_seconds", stalled),
            ("farandole_in_flight", standing.in_flight),
            ("farandole_running", standing.running),
            ("farandole_concurrency", standing.concurrency),
            ("farandole_open_groups", standing.groups),
            ("farandole_leased_partitions", standing.leases),
            ("farandole_paused_partitions", standing.paused),
        ):
            families[name].add_metric(step, value)
        for kind, number in standing.rows.items():
            families["farandole_rows"].add_metric((*step, kind), number)

    def _count(self, families: dict[str, Any], step: tuple[str, str], tally: Tally) -> None:
        for ending, spread in tally.durations.items():
            _put(families[_DURATION], (*self._messaging(step, "process"), ending), spread)
        _put(families[_OPERATION], self._messaging(step, "commit"), tally.commits)
        _put(families["farandole_commit_records"], step, tally.sizes)
        families["messaging_client_sent_messages"].add_metric(self._messaging(step, "send"), tally.sent)
        for name, counts in (
            ("farandole_outcomes", tally.outcomes),
            ("farandole_dead_letters", tally.dead),
            ("farandole_lease_changes", tally.changes),
        ):
            for word, number in counts.items():
                families[name].add_metric((*step, word), number)

    def _messaging(self, step: tuple[str, str], operation: str) -> tuple[str, ...]:
        return (*step, self._system, operation)


def _put(family: Any, labels: Sequence[str], spread: Spread) -> None:
    """A histogram's buckets, each with all that is below it, and its last exemplar: the trace of its workflow."""
    buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
    below = 0
    for number, count in enumerate(list(spread.counts)):
        below += count
        bound = "+Inf" if number == len(spread.bounds) else str(spread.bounds[number])
        found = spread.exemplars.get(number)
        if found is None:
            buckets.append((bound, below))
        else:
            buckets.append((bound, below, Exemplar({"trace_id": trace_id(found.workflow)}, found.value, found.at)))
    family.add_metric(labels, buckets, sum_value=spread.total)
