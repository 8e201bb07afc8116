"""The dashboard of what was promised: shares of success, times against the declared timeouts, whole workflows.

Its rows stand in the order of the flow, each step's times beside the timeout that it declares. The first two rows name
no step, so a new one is there before the dashboard is made anew.
"""

from grafana_foundation_sdk.builders.common import GraphThresholdsStyleConfig
from grafana_foundation_sdk.builders.dashboard import CustomVariable, Dashboard
from grafana_foundation_sdk.builders.timeseries import Panel as Lines
from grafana_foundation_sdk.models.common import GraphThresholdsStyleMode
from grafana_foundation_sdk.models.dashboard import VariableOption

from farandole.fold import Topology
from farandole.fold.topology import StepInfo
from farandole_observe.dashboards import expressions as ask
from farandole_observe.dashboards.flow import in_order
from farandole_observe.dashboards.panels import (
    HALF,
    RED,
    STEP,
    THIRD,
    WIDTH,
    board,
    grid,
    lines,
    number,
    row,
    thresholds,
)
from farandole_observe.dashboards.targets import now, over_time, sql

OBJECTIVES = ("0.9", "0.95", "0.99", "0.999", "0.9999")
_RANGE = "$__range"
WORKFLOWS = """
SELECT coalesce(e.type, '') AS type, count(*) AS started, count(*) FILTER (WHERE w.status = 'complete') AS complete,
       count(*) FILTER (WHERE w.dead > 0) AS dead,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY w.updated - w.started) FILTER (WHERE w.status = 'complete') AS half,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY w.updated - w.started) FILTER (WHERE w.status = 'complete') AS p95,
       max(w.updated - w.started) FILTER (WHERE w.status = 'complete') AS longest
FROM workflows AS w LEFT JOIN LATERAL (
  SELECT i.type, i.key FROM events AS i
  WHERE i.workflow = w.workflow AND i.given_by IS NULL AND i.counted ORDER BY i.time, i.event LIMIT 1
) AS e ON true
WHERE w.counted > 0 AND w.started BETWEEN $__unixEpochFrom() AND $__unixEpochTo()
GROUP BY 1 ORDER BY 1
"""


def sla(topology: Topology) -> Dashboard:
    """The dashboard `farandole-sla`."""
    options = [VariableOption(text=share, value=share, selected=share == "0.99") for share in OBJECTIVES]
    objective = CustomVariable("objective").label("Objective").values(",".join(OBJECTIVES))
    made = (
        board("sla", "service levels", "What was promised, and how it is kept.")
        .time("now-24h", "now")
        .with_variable(objective.current(options[2]).options(options))
    )
    made = (
        _success(made)
        .with_row(row("Workflows"))
        .with_panel(
            grid("From the first event to the end, in seconds", [sql(WORKFLOWS)], said="From the projection's tables.")
        )
    )
    for name in in_order(topology):
        made = made.with_row(row(name))
        for panel in _of_step(topology.steps[name]):
            made = made.with_panel(panel)
    return made


def _success(made: Dashboard) -> Dashboard:
    good, all_of_them = (ask.outcomes(ending, window=_RANGE) for ending in ("completed", "completed|dead"))
    share = f"{good} / {all_of_them}"
    budget = f"1 - (1 - {share}) / (1 - $objective)"
    said = "1: nothing failed; 0: as much became dead letters as the objective allows in the time that is shown."
    return (
        made.with_row(row("Success"))
        .with_panel(number("Completed, of what ended", [now(share, STEP)], unit="percentunit", width=WIDTH))
        .with_panel(lines("Left of the error budget", [over_time(budget, STEP)], unit="percentunit", said=said))
        .with_panel(lines("Longest owed", [over_time(ask.of_fleet("owed_oldest_seconds"), STEP)], unit="s", width=HALF))
    )


def _of_step(info: StepInfo) -> list[Lines]:
    service, _, step = info.name.partition("/")
    where, timeout = f'{{service="{service}",step="{step}"}}', info.contract.timeout
    shares = [
        over_time(ask.quantile(share, ask.ATTEMPTS, where=where), name, exemplars=True)
        for share, name in ((0.5, "half"), (0.99, "99 %"))
    ]
    oldest = [over_time(ask.of_fleet("owed_oldest_seconds", where=where), "oldest owed")]
    ending = f',service="{service}",step="{step}"'
    failed = [over_time(f"{ask.outcomes('dead', ending)} / {ask.outcomes('completed|dead', ending)}", "dead")]
    said = f"Declares a timeout of {timeout:g} s." if timeout else "Declares no timeout."
    return [
        _against(lines("Time of attempts", shares, unit="s", width=THIRD, said=said), timeout),
        _against(lines("Oldest owed", oldest, unit="s", width=THIRD, said=said), timeout),
        lines("Became dead letters, of what ended", failed, unit="percentunit", width=THIRD),
    ]


def _against(panel: Lines, timeout: float | None) -> Lines:
    """With a red line at the timeout."""
    if timeout is None:
        return panel
    style = GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
    return panel.thresholds(thresholds([(timeout, RED)], "transparent")).thresholds_style(style)
