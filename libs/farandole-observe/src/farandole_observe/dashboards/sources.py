"""The data sources of the dashboards, with ids that never change, and how Grafana comes to know them."""

from typing import Any

from grafana_foundation_sdk.models.dashboard import DataSourceRef

METRICS = DataSourceRef(type_val="prometheus", uid="farandole-prometheus")
TRACES = DataSourceRef(type_val="jaeger", uid="farandole-jaeger")
TABLES = DataSourceRef(type_val="grafana-postgresql-datasource", uid="farandole-tables")

STEP_LABEL = "farandole_step"
"""Label of recorded series: `service/step` in one word, as a span's attribute `farandole.step` has it."""
SPAN_QUERIES = (
    ("Attempts a second", "step:farandole_outcomes:rate5m"),
    ("95th percentile of attempts", "step:messaging_process_duration_seconds:p95_5m"),
    ("Lag", "step:farandole_lag_seconds:max"),
)
"""From a span to its step's metrics: a title, and a series that `rules.recorded` makes."""
_SCRAPED_EVERY = "15s"


def datasources() -> dict[str, Any]:
    """For Grafana's provisioning. Where things are, its environment says: `$NAME` is filled in by Grafana."""
    return {
        "apiVersion": 1,
        "datasources": [
            _source(
                METRICS,
                "Farandole metrics",
                "$FARANDOLE_PROMETHEUS_URL",
                isDefault=True,
                jsonData={
                    "httpMethod": "POST",
                    "timeInterval": _SCRAPED_EVERY,
                    "exemplarTraceIdDestinations": [{"name": "trace_id", "datasourceUid": TRACES.uid}],
                },
            ),
            _source(
                TRACES,
                "Farandole traces",
                "$FARANDOLE_JAEGER_URL",
                jsonData={
                    "nodeGraph": {"enabled": True},
                    "tracesToMetrics": {
                        "datasourceUid": METRICS.uid,
                        "spanStartTimeShift": "-30m",
                        "spanEndTimeShift": "30m",
                        "tags": [{"key": "farandole.step", "value": STEP_LABEL}],
                        # $$ is a dollar sign to Grafana's provisioning
                        "queries": [{"name": name, "query": f"{series}{{$$__tags}}"} for name, series in SPAN_QUERIES],
                    },
                },
            ),
            _source(
                TABLES,
                "Farandole tables",
                "$FARANDOLE_TABLES_HOST",
                user="$FARANDOLE_TABLES_USER",
                jsonData={
                    "database": "$FARANDOLE_TABLES_DATABASE",
                    "sslmode": "$FARANDOLE_TABLES_SSLMODE",
                    "postgresVersion": 1500,
                },
                secureJsonData={"password": "$FARANDOLE_TABLES_PASSWORD"},
            ),
        ],
    }


def _source(ref: DataSourceRef, name: str, url: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "uid": ref.uid,
        "type": ref.type_val,
        "access": "proxy",
        "url": url,
        "editable": False,
        **more,
    }


def providers() -> dict[str, Any]:
    """Tells Grafana in which folder of its own the dashboards stand."""
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": "farandole",
                "folder": "Farandole",
                "type": "file",
                "disableDeletion": True,
                "allowUiUpdates": False,
                "options": {"path": "/var/lib/grafana/dashboards/farandole"},
            }
        ],
    }
