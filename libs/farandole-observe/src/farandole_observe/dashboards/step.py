"""The dashboard of one step, which is chosen there: no topology is needed, so a new one is there by itself."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from farandole_observe.dashboards import expressions as ask
from farandole_observe.dashboards.panels import (
    RED,
    THIRD,
    TO_WORKFLOW,
    board,
    grid,
    label_variable,
    lines,
    link,
    number,
    row,
)
from farandole_observe.dashboards.targets import now, over_time, sql

_WHERE = '{service="$service",step="$step"}'
_AND = ',service="$service",step="$step"'
_ONE = '{__name__=~"farandole_concurrency|farandole_fleet_owed",service="$service"}'
OWES = """
SELECT d.workflow, d.state, d.attempt, to_timestamp(d.since) AS since, to_timestamp(nullif(d.due, 0)) AS due,
       e.type, e.key, d.reason, d.error
FROM deliveries AS d LEFT JOIN events AS e ON e.workflow = d.workflow AND e.event = d.event
WHERE d.step = ${service:sqlstring} || '/' || ${step:sqlstring}
  AND d.state IN ('owed', 'retrying', 'parked', 'dead')
ORDER BY d.since LIMIT 100
"""


def step() -> Dashboard:
    """The dashboard `farandole-step`."""
    made = (
        board("step", "one step", "How one step does, and what it owes.")
        .with_variable(label_variable("service", ask.SERIES, "Service"))
        .with_variable(label_variable("step", _ONE, "Step"))
    )
    return _left(_inside(_attempts(_figures(made))))


def _figures(made: Dashboard) -> Dashboard:
    dead = f"sum({ask.of_fleet('dead_letters', 'reason', _WHERE)})"
    stuck = f"sum({ask.of_fleet('stuck', 'kind', _WHERE)})"
    return (
        made.with_row(row("$service/$step now"))
        .with_panel(number("Owed", [now(ask.of_fleet("owed", where=_WHERE))]))
        .with_panel(number("Oldest owed", [now(ask.of_fleet("owed_oldest_seconds", where=_WHERE))], unit="s"))
        .with_panel(number("Dead letters", [now(dead)], limits=[(1, RED)]))
        .with_panel(number("Stuck", [now(stuck)], limits=[(1, RED)]))
        .with_panel(number("Workers", [now(ask.of_fleet("workers", where=_WHERE))]))
        .with_panel(number("Open groups", [now(ask.of_fleet("open_groups", where=_WHERE))]))
    )


def _attempts(made: Dashboard) -> Dashboard:
    shares = [
        over_time(ask.quantile(share, ask.ATTEMPTS, where=_WHERE), name, exemplars=True)
        for share, name in ((0.5, "half"), (0.95, "95 %"), (0.99, "99 %"))
    ]
    endings = ask.rate("farandole_outcomes_total", "ending", _WHERE)
    reasons = ask.rate("farandole_dead_letters_total", "reason", _WHERE)
    failing = f"{ask.outcomes(ask.FAILED, _AND)} / {ask.outcomes(ask.RAN, _AND)}"
    said = "A point is an attempt; it leads to the trace of its workflow."
    return (
        made.with_row(row("Attempts"))
        .with_panel(lines("Outcomes", [over_time(endings, "{{ending}}")], unit="cps"))
        .with_panel(lines("Time of attempts", shares, unit="s", said=said))
        .with_panel(lines("Share that failed", [over_time(failing, "failed")], unit="percentunit"))
        .with_panel(lines("Became dead letters", [over_time(reasons, "{{reason}}")], unit="cps"))
    )


def _inside(made: Dashboard) -> Dashboard:
    flight = [
        over_time(f"sum({name}{_WHERE})", legend)
        for name, legend in (
            ("farandole_in_flight", "in flight"),
            ("farandole_running", "running"),
            ("farandole_concurrency", "concurrency"),
        )
    ]
    ages = [
        over_time(f"max({name}{_WHERE})", legend)
        for name, legend in (("farandole_lag_seconds", "lag"), ("farandole_stalled_seconds", "stands still"))
    ]
    leases = [
        over_time(f"sum by (instance) (farandole_leased_partitions{_WHERE})", "{{instance}}"),
        over_time(f"sum by (instance) (farandole_paused_partitions{_WHERE})", "{{instance}}, paused"),
    ]
    commits = ask.quantile(0.99, ask.COMMITS, where=_WHERE)
    polled = ask.rate("messaging_client_consumed_messages_total", where=_WHERE)
    sent = ask.rate("messaging_client_sent_messages_total", where=_WHERE)
    return (
        made.with_row(row("Inside"))
        .with_panel(lines("In flight", flight, width=THIRD))
        .with_panel(lines("Lag", ages, unit="s", width=THIRD))
        .with_panel(lines("Partitions held", leases, width=THIRD))
        .with_panel(lines("Rows", [over_time(f"sum by (kind) (farandole_rows{_WHERE})", "{{kind}}")], width=THIRD))
        .with_panel(lines("99th percentile of commits", [over_time(commits, "commit")], unit="s", width=THIRD))
        .with_panel(
            lines("Records", [over_time(polled, "polled"), over_time(sent, "published")], unit="cps", width=THIRD)
        )
    )


def _left(made: Dashboard) -> Dashboard:
    to_workflow = [link("the workflow", TO_WORKFLOW)]
    owes = grid("What it owes, the oldest first", [sql(OWES)], said="From the projection's tables.")
    return made.with_row(row("Deliveries")).with_panel(owes.override_by_name("workflow", to_workflow))
