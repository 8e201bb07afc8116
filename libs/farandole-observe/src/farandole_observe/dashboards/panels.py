"""Panels as these dashboards have them: a number, lines, a table, a trace; and a dashboard, finished to its text."""

from collections.abc import Sequence
from itertools import count
from string import ascii_uppercase
from typing import Any

from grafana_foundation_sdk.builders import dashboard, stat, table, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    Panel,
    RowPanel,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
    VariableSort,
)

from farandole_observe.dashboards.sources import METRICS, TABLES, TRACES
from farandole_observe.dashboards.targets import Target

TAG = "farandole"
STEP = "{{service}}/{{step}}"
"""Legend of a series of a step."""
WIDTH, THIRD, HALF = 24, 8, 12
GREEN, ORANGE, RED = "green", "orange", "red"
TO_STEP = "/d/farandole-step?var-service=${__field.labels.service}&var-step=${__field.labels.step}&${__url_time_range}"
TO_WORKFLOW = "/d/farandole-workflow?var-workflow=${__value.raw}"


def board(name: str, title: str, description: str) -> dashboard.Dashboard:
    """An empty dashboard `farandole-NAME`, with links to the others."""
    links = dashboard.DashboardLink("Farandole").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return (
        dashboard.Dashboard(f"Farandole: {title}")
        .uid(f"farandole-{name}")
        .description(description)
        .tags([TAG])
        .timezone("browser")
        .time("now-1h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(links.as_dropdown(True).keep_time(True).include_vars(False))
        .readonly()
    )


def row(title: str) -> dashboard.Row:
    """The heading of what follows."""
    return dashboard.Row(title)


def number(
    title: str,
    targets: Sequence[Target],
    *,
    unit: str = "short",
    limits: Sequence[tuple[float, str]] = (),
    width: int = 4,
) -> stat.Panel:
    """A panel of a few large numbers. `limits`: from which value on it has which colour."""
    panel = (
        stat.Panel()
        .title(title)
        .datasource(METRICS)
        .unit(unit)
        .height(4)
        .span(width)
        .color_mode(BigValueColorMode.VALUE if limits else BigValueColorMode.NONE)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(thresholds(limits))
    )
    for target in targets:
        panel = panel.with_target(target)
    return panel


def lines(
    title: str, targets: Sequence[Target], *, unit: str = "short", width: int = HALF, said: str = ""
) -> timeseries.Panel:
    """A panel of lines over time. `said`: what the title does not say."""
    legend = VizLegendOptions().display_mode(LegendDisplayMode.TABLE).placement(LegendPlacement.RIGHT)
    panel = (
        timeseries.Panel()
        .title(title)
        .description(said)
        .datasource(METRICS)
        .unit(unit)
        .min(0)
        .height(8)
        .span(width)
        .legend(legend.show_legend(True).calcs(["lastNotNull", "max"]))
    )
    for target in targets:
        panel = panel.with_target(target)
    return panel


def grid(title: str, targets: Sequence[Target], source: DataSourceRef = TABLES, *, said: str = "") -> table.Panel:
    """A table over the whole width."""
    panel = table.Panel().title(title).description(said).datasource(source).height(9).span(WIDTH).filterable(True)
    for target in targets:
        panel = panel.with_target(target)
    return panel


def one_trace(title: str, target: Target) -> dashboard.Panel:
    """A trace as Grafana draws it."""
    return dashboard.Panel().type("traces").title(title).datasource(TRACES).height(16).span(WIDTH).with_target(target)


def thresholds(limits: Sequence[tuple[float, str]], base: str = GREEN) -> dashboard.ThresholdsConfig:
    """Colours by value: `base` below the first limit."""
    steps = [Threshold(color=base), *(Threshold(value=value, color=color) for value, color in limits)]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def link(title: str, url: str) -> DynamicConfigValue:
    """Makes the values of a field links."""
    return DynamicConfigValue(id_val="links", value=[{"title": title, "url": url}])


def unit(name: str) -> DynamicConfigValue:
    """The unit of a field."""
    return DynamicConfigValue(id_val="unit", value=name)


def transformed(how: str, **options: Any) -> DataTransformerConfig:
    """What Grafana does to the rows of a table before it shows them."""
    return DataTransformerConfig(id_val=how, options=options)


def label_variable(name: str, metrics: str, title: str) -> dashboard.QueryVariable:
    """A variable that takes the values of the label `name`, of these series, as they are now."""
    asked: dict[str, object] = {"qryType": 1, "query": f"label_values({metrics}, {name})", "refId": name}
    variable = dashboard.QueryVariable(name).label(title).datasource(METRICS).query(asked)
    return variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)


def sql_variable(name: str, text: str, title: str) -> dashboard.QueryVariable:
    """A variable that takes what the tables answer."""
    variable = dashboard.QueryVariable(name).label(title).datasource(TABLES).query(text.strip())
    return variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)


def finished(made: dashboard.Dashboard) -> str:
    """The dashboard as Grafana reads it: its panels numbered, its queries lettered, its keys in order."""
    built = made.build()
    numbers = count(1)
    for panel in built.panels or ():
        panel.id_val = next(numbers)
        for inner in panel.panels if isinstance(panel, RowPanel) else ():
            inner.id_val = next(numbers)
            _letter(inner)
        if isinstance(panel, Panel):
            _letter(panel)
    return f"{JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(built)}\n"


def _letter(panel: Panel) -> None:
    for letter, target in zip(ascii_uppercase, panel.targets or (), strict=False):
        target.ref_id = letter  # type: ignore[attr-defined]
