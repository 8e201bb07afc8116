"""The dashboard of dead letters and of what is stuck: how many, where and why; and each of them, from the tables."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from farandole_observe.dashboards import expressions as ask
from farandole_observe.dashboards.panels import (
    ORANGE,
    RED,
    STEP,
    THIRD,
    TO_WORKFLOW,
    WIDTH,
    board,
    grid,
    lines,
    link,
    number,
    row,
)
from farandole_observe.dashboards.sources import METRICS
from farandole_observe.dashboards.targets import now, over_time, rows, sql

DEAD = """
SELECT d.workflow, d.step, d.reason, d.error, d.attempt, to_timestamp(d.since) AS since, e.type, e.key, d.id
FROM deliveries AS d LEFT JOIN events AS e ON e.workflow = d.workflow AND e.event = d.event
WHERE d.state = 'dead' ORDER BY d.since DESC LIMIT 200
"""
OPEN_GROUPS = """
SELECT g.workflow, g.step, g."group", g.present, g.missing, to_timestamp(g.since) AS since, w.status
FROM groups AS g JOIN workflows AS w ON w.workflow = g.workflow
WHERE g.standing = 'open' ORDER BY g.since LIMIT 200
"""
LOOSE = """
SELECT workflow, source, type, key, to_timestamp(time) AS time FROM events WHERE loose ORDER BY time LIMIT 200
"""


FIRING = 'count by (alertname, severity, service, step) (ALERTS{alertname=~"Farandole.*",alertstate="firing"}) > 0'
_DEAD = ask.of_fleet("dead_letters", f"{ask.STEP}, reason")
_STUCK = ask.of_fleet("stuck", f"{ask.STEP}, kind")


def letters() -> Dashboard:
    """The dashboard `farandole-letters`."""
    made = board("letters", "dead letters and stuck", "What does not go on by itself; farandole stuck, farandole dlq.")
    return _each(_over_time(_figures(made.with_row(row("Dead letters")))))


def _figures(made: Dashboard) -> Dashboard:
    oldest, late = ask.of_fleet("owed_oldest_seconds"), [(300, ORANGE), (3600, RED)]
    return (
        made.with_panel(number("Standing", [now(f"sum({_DEAD})")], limits=[(1, RED)], width=THIRD))
        .with_panel(number("By reason", [now(f"sum by (reason) ({_DEAD}) > 0", "{{reason}}")], width=THIRD))
        .with_panel(number("Stuck by kind", [now(f"sum by (kind) ({_STUCK}) > 0", "{{kind}}")], width=THIRD))
        .with_panel(number("Oldest owed by step", [now(oldest, STEP)], unit="s", limits=late, width=WIDTH))
    )


def _over_time(made: Dashboard) -> Dashboard:
    became = ask.rate("farandole_dead_letters_total", f"{ask.STEP}, reason")
    ended = ask.rate("farandole_outcomes_total", f"{ask.STEP}, ending", '{ending=~"redriven|discarded"}')
    reason, kind, ending = (f"{STEP} {{{{{label}}}}}" for label in ("reason", "kind", "ending"))
    return (
        made.with_panel(lines("Standing by step and reason", [over_time(f"{_DEAD} > 0", reason)]))
        .with_panel(lines("Became dead letters", [over_time(became, reason)], unit="cps"))
        .with_panel(lines("Redriven and discarded", [over_time(ended, ending)], unit="cps"))
        .with_panel(lines("Stuck by step and kind", [over_time(f"{_STUCK} > 0", kind)]))
    )


def _each(made: Dashboard) -> Dashboard:
    made = made.with_row(row("Each of them")).with_panel(grid("Alerts that fire", [rows(FIRING)], METRICS).height(6))
    for title, text in (("Dead letters", DEAD), ("Groups that lack members", OPEN_GROUPS), ("Taken by nobody", LOOSE)):
        panel = grid(title, [sql(text)], said="From the projection's tables.")
        made = made.with_panel(panel.override_by_name("workflow", [link("the workflow", TO_WORKFLOW)]))
    return made
