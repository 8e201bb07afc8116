"""What a panel asks: PromQL, SQL, or a search for traces."""

from typing import Any

from grafana_foundation_sdk.builders.prometheus import Dataquery as PrometheusQuery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from farandole_observe.dashboards.sources import METRICS, TABLES, TRACES

Target = Builder[Dataquery]


class _Query(Dataquery):
    """A query of a source that the SDK has no class for."""

    def __init__(self, source: DataSourceRef, said: dict[str, Any]) -> None:
        self.source, self.said = source, said
        self.ref_id = ""

    def to_json(self) -> dict[str, Any]:
        return {"datasource": self.source, "refId": self.ref_id, **self.said}


class _Made(Builder[Dataquery]):
    def __init__(self, query: Dataquery) -> None:
        self._query = query

    def build(self) -> Dataquery:
        return self._query


def over_time(expression: str, legend: str, *, exemplars: bool = False) -> PrometheusQuery:
    """A line for each series, over the time that the dashboard shows."""
    return _promql(expression, legend).range().exemplar(exemplars)


def now(expression: str, legend: str = "") -> PrometheusQuery:
    """The value of each series at the end of that time."""
    return _promql(expression, legend).instant()


def rows(expression: str) -> PrometheusQuery:
    """The same as rows of a table: a column for each label."""
    return _promql(expression, "").instant().format(PromQueryFormat.TABLE)


def sql(text: str) -> Target:
    """Rows of the projection's tables. `text`: PostgreSQL's SQL, a variable in it as `${name:sqlstring}`."""
    return _Made(_Query(TABLES, {"rawSql": text.strip(), "rawQuery": True, "editorMode": "code", "format": "table"}))


def search(service: str, tags: str) -> Target:
    """The traces in which this service has a span with these tags (logfmt)."""
    return _Made(_Query(TRACES, {"queryType": "search", "service": service, "tags": tags, "limit": 20}))


def trace(trace_id: str) -> Target:
    """One trace."""
    return _Made(_Query(TRACES, {"query": trace_id}))


def _promql(expression: str, legend: str) -> PrometheusQuery:
    return PrometheusQuery().datasource(METRICS).expr(expression).legend_format(legend)
