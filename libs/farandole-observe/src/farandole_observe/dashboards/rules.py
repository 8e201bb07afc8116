"""What Prometheus goes by: series that it records, alerts, and where it scrapes."""

from typing import Any

from farandole.fold import Topology
from farandole_observe.dashboards import expressions as ask
from farandole_observe.dashboards.alerts import alerts
from farandole_observe.dashboards.pace import MINUTE, Pace
from farandole_observe.dashboards.sources import STEP_LABEL

PORT = 9464
"""What `--metrics` is given in the examples, in a deployment in which every process has an address of its own."""

SPANS_PORT = 8889
"""Where Jaeger serves what it counts of spans."""


def rules(topology: Topology, pace: Pace | None = None) -> dict[str, Any]:
    """The groups of rules."""
    pace = pace or Pace()
    return {
        "groups": [
            {"name": "farandole-recorded", "rules": recorded(pace)},
            {"name": "farandole-alerts", "rules": _alerts(topology, pace)},
        ]
    }


def recorded(pace: Pace) -> list[dict[str, Any]]:
    """Series by step with `service/step` in one label, by which a span finds them."""
    window = pace.said(5 * MINUTE)
    series = {
        "step:farandole_outcomes:rate5m": ask.rate("farandole_outcomes_total", f"{ask.STEP}, ending", window=window),
        "step:messaging_process_duration_seconds:p95_5m": ask.quantile(0.95, ask.ATTEMPTS, window=window),
        "step:farandole_lag_seconds:max": f"max by ({ask.STEP}) (farandole_lag_seconds)",
    }
    return [
        {"record": name, "expr": f'label_join({expression}, "{STEP_LABEL}", "/", "service", "step")'}
        for name, expression in series.items()
    ]


def _alerts(topology: Topology, pace: Pace) -> list[dict[str, Any]]:
    return [
        {
            "alert": one.name,
            "expr": one.expression,
            "for": pace.said(one.patience),
            "labels": {"severity": one.severity},
            "annotations": {
                "summary": one.summary,
                "description": one.description,
                "runbook": f"{one.runbook} (docs/operating.md#{one.name.lower()})",
            },
        }
        for one in alerts(topology, pace)
    ]


def scraping(topology: Topology) -> dict[str, Any]:
    """A configuration of Prometheus for a network in which each service's processes have its name (Compose does so)."""
    services = sorted({name.partition("/")[0] for name, info in topology.steps.items() if info.exists})
    return {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [
            _job("farandole-services", services),
            _job("farandole-observe", ["observe"]),
            _job("jaeger", ["jaeger"], SPANS_PORT),  # without it there is nobody of that name, and nothing to scrape
        ],
    }


def _job(name: str, hosts: list[str], port: int = PORT) -> dict[str, Any]:
    # what the metrics say of their service counts, whatever the network's own labels say
    where = {"names": hosts, "type": "A", "port": port}
    return {"job_name": name, "honor_labels": True, "dns_sd_configs": [where]}
