"""The page of metrics: what docs/observing.md says of it, in both formats, and never a series from outside."""

import re
from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from farandole.events.ids import trace_id
from farandole.telemetry.exposition import CATALOGUE, ServiceCollector, registry_of
from farandole.telemetry.metrics import MetricsHooks
from libs.farandole.tests.unit.telemetry.test_health import standing
from libs.farandole.tests.unit.telemetry.test_tally import Out, committed

DOCUMENT = Path(__file__).parents[5] / "docs" / "observing.md"


def filled() -> tuple[MetricsHooks, ServiceCollector]:
    """Of a step that has done a little of everything."""
    hooks = MetricsHooks()
    hooks.committed(
        committed(
            Out("completed", 1.0, 1.2, workflow="w1"), Out("retrying", 1.0, 3.0), Out("dead", 1.0, 2.0, "exhausted")
        )
    )
    hooks.noted("lease granted", step="shop/pack", partition=1)
    seen = [(standing(taken=3, in_flight=1, lag=4.0), 2.5)]
    return hooks, ServiceCollector(hooks, lambda: seen, "sqlite")


def test_the_names_types_and_labels_are_those_of_the_documentation() -> None:
    """Dashboards and alerts stand on them: they change together with the document, or not at all."""
    table = re.findall(r"^\| `([a-z_0-9]+)` \| (\w+) \|([^|]*)\|", DOCUMENT.read_text(), re.MULTILINE)
    documented = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in table}
    assert {n: d for n, d in documented.items() if "fleet" not in n and "projection" not in n} == {
        d.shown: (d.kind, d.labels) for d in CATALOGUE.values()
    }


def test_every_metric_of_the_catalogue_is_on_the_page_with_its_labels() -> None:
    """In the plain format, which any scraper takes, and in OpenMetrics, which its own parser takes."""
    registry = registry_of(filled()[1])
    plain = generate_latest(registry).decode()
    families = {f.name: f for f in text_string_to_metric_families(openmetrics.generate_latest(registry).decode())}
    for described in CATALOGUE.values():
        assert f"# TYPE {described.shown} {described.kind}\n" in plain
        family = families[described.name]
        assert family.type == described.kind
        assert family.samples, described.name
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(described.labels), described.name


def test_a_duration_leads_to_the_trace_of_its_workflow() -> None:
    """By an exemplar, in OpenMetrics."""
    page = openmetrics.generate_latest(registry_of(filled()[1])).decode()
    families = {f.name: f for f in text_string_to_metric_families(page)}
    shown = [s.exemplar for s in families["messaging_process_duration_seconds"].samples if s.exemplar]
    assert {"trace_id": trace_id("w1")} in [e.labels for e in shown]


def test_no_key_workflow_error_or_word_from_outside_makes_a_series() -> None:
    """The page is as long after ten thousand hostile deliveries as after one of each ending."""
    hooks, collector = filled()
    registry = registry_of(collector)
    before = {line.rpartition(" ")[0] for line in generate_latest(registry).decode().splitlines()}
    for number in range(10_000):
        hostile = f'{number}"}} 1\nevil{{a="\u202e'
        hooks.committed(committed(Out("dead", 1.0, 1.1, hostile, hostile), Out("completed", 1.0, 1.1, "", hostile)))
        hooks.noted(hostile, step=hostile)
    after = {line.rpartition(" ")[0] for line in generate_latest(registry).decode().splitlines()}
    assert after == before
    assert "evil" not in openmetrics.generate_latest(registry).decode()
