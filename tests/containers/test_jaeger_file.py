"""deploy/jaeger/config.yaml: what is in it is used, what is used is in it, and Jaeger knows it by that name."""

from typing import Any

import yaml

from tests.containers.composed import DEPLOY

# Of Jaeger v2: the components that its documentation lists, as far as we use them, with the settings that they take.
KNOWN: dict[str, set[str]] = {
    "otlp": {"protocols"},
    "batch": set(),
    "spanmetrics": {"metrics_flush_interval"},
    "jaeger_storage_exporter": {"trace_storage"},
    "prometheus": {"endpoint"},
    "healthcheckv2": {"use_v2", "http"},
    "jaeger_storage": {"backends", "metric_backends"},
    "jaeger_query": {"storage"},
}


def config() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "jaeger" / "config.yaml").read_text())
    return found


def test_every_component_is_known_used_and_defined_once() -> None:
    """A receiver, processor, exporter, connector or extension that hangs in the air ends Jaeger at its start."""
    found = config()
    service = found["service"]
    assert found.keys() == {"service", "extensions", "receivers", "processors", "connectors", "exporters"}
    used: dict[str, set[str]] = {kind: set() for kind in ("receivers", "processors", "exporters")}
    for pipeline in service["pipelines"].values():
        for kind in used:
            used[kind] |= set(pipeline.get(kind, ()))
    connectors = found["connectors"].keys()
    assert connectors <= used["receivers"] & used["exporters"]
    for kind, names in used.items():
        assert names - connectors == found[kind].keys(), kind
    assert set(service["extensions"]) == found["extensions"].keys()
    for kind in ("extensions", "receivers", "processors", "connectors", "exporters"):
        for name, said in found[kind].items():
            assert said.keys() <= KNOWN[name], name


def test_storage_is_named_where_it_is_written_read_and_counted() -> None:
    """One backend of traces, in memory; one of metrics, the Prometheus beside it."""
    extensions, exporters = config()["extensions"], config()["exporters"]
    storage = extensions["jaeger_storage"]
    read = extensions["jaeger_query"]["storage"]
    assert {read["traces"], exporters["jaeger_storage_exporter"]["trace_storage"]} == storage["backends"].keys()
    assert {read["metrics"]} == storage["metric_backends"].keys()


def test_it_listens_where_services_the_health_check_and_prometheus_look_for_it() -> None:
    """By the ports that compose.yaml, full.env and prometheus.yaml name."""
    found = config()
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["jaeger"]
    (traces,) = (line for line in (DEPLOY / "full.env").read_text().splitlines() if line.startswith("TRACES="))
    assert found["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"].rpartition(":")[2] == traces.rpartition(":")[2]
    port = found["extensions"]["healthcheckv2"]["http"]["endpoint"].rpartition(":")[2]
    assert f"http://localhost:{port}/status" in compose["healthcheck"]["test"]
    jobs = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())["scrape_configs"]
    (counted,) = (job for job in jobs if job["job_name"] == "jaeger")
    where = counted["dns_sd_configs"][0]
    assert (where["names"], str(where["port"])) == (["jaeger"], found["exporters"]["prometheus"]["endpoint"][-4:])
    assert compose["command"] == ["--config", "/etc/jaeger/config.yaml"]
